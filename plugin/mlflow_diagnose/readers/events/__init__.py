"""TensorBoard event files: from bytes to points, whole blocks of records at a time."""
