"""Whether the optimisation held."""
