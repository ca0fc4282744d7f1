"""Records to the terminal."""
