"""Which pictures to label next: a batch's answers read, the most telling chosen, a folder to label made."""
