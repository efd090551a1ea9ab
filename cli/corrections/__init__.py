"""Pictures that senders gave: reviewed on a local page or in the terminal, and made a data set's version."""
