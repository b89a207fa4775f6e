"""Whether the gradients reach every layer in a size the optimizer can use."""
