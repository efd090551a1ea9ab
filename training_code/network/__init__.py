"""The network: what it is built of, and the weights it begins with."""
