"""Rules that read the curves of a training run and say what is wrong with it; pure, numpy and bottleneck only."""

__version__ = "0.1.0"
