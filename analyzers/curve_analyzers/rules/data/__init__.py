"""Whether the data is what the curves take it for."""
