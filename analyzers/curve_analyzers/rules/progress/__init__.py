"""Whether and how far learning went."""
