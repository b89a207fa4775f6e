"""What the machine and the clock did meanwhile: time and memory, not learning."""
