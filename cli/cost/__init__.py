"""What AWS bills this project for."""
