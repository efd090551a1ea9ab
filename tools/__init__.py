"""What keeps this project's own supplies in order: installing, locking, listing and scanning them."""
