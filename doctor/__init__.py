"""The doctor looks at labelled pictures, and says what is wrong with them."""
