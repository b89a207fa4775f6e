"""Whether the metrics tell one story."""
