"""Which labels look wrong: features of pictures in, suspicion out. It needs PyTorch and nothing of ours."""
