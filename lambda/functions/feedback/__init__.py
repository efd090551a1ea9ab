"""What senders say of the answers to pictures that they gave."""
