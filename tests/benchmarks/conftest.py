"""What holds for every benchmark."""

from __future__ import annotations


def pytest_addoption(parser):
    """`--share` tries the benchmarks on less."""
    parser.addoption("--share", type=float, default=1.0, help="the share of a benchmark's data that is laid down")
