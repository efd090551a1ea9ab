"""What the serving benchmark compares with: the same network, in eager PyTorch, under other servers.

Each file runs in a virtual environment of its own that has its server and PyTorch, and never in ours.
"""
