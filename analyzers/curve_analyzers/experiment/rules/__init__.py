"""The rules over many runs, one a file."""
