"""Whether what was logged can be judged at all."""
