"""What classes are told apart by: a network's features, or features made by hand."""
