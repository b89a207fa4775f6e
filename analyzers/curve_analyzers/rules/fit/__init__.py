"""How well the model fits: what it learned from training data beside what it does on held-out data."""
