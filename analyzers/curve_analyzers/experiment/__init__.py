"""What only many runs can tell: runs beside each other, and the params that they were trained with."""
