"""The tab "Diagnose" in TensorBoard."""
