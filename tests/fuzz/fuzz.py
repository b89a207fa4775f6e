"""Fuzzes one parser with atheris, guided by its coverage; see README.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["mlflow_diagnose", "curve_analyzers"]):
    from targets import TARGETS

    import eventlogs

CONFIG = b"""ignore = ["loss_spikes"]
[roles]
"objective" = "val_loss"
[rules.overfitting]
rise = 0.1
"""


def seeds(name: str) -> list[bytes]:
    """Sound inputs, from which the fuzzer sets out."""
    if name == "events":
        events = [
            eventlogs.scalar("loss", 0.5, 3),
            eventlogs.tensor("acc", 0.25, 4),
            eventlogs.tensor("image", [[1, 2], [3, 4]], 5, "images"),
            eventlogs.hparams({"lr": 0.1, "name": "x"}),
            eventlogs.restart(2),
        ]
        return [
            eventlogs.version() + b"".join(map(eventlogs.record, events)),
            *(eventlogs.version() + eventlogs.record(event) for event in events),
        ]
    if name == "metrics":
        return [b"1700000000000 0.5 1\n1700000001000 nan 2\n", b"1 2\n", b"1 -inf 3 set digest\n"]
    return [CONFIG, b"select = ['fit']\n", b"[rules.divergence]\n"]


def main() -> None:
    """Fuzz for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--megabytes", type=int, default=2048, help="of memory, above which it is a fault")
    asked = parser.parse_args()
    corpus = Path(tempfile.mkdtemp(prefix=f"corpus-{asked.target}-"))
    for number, seed in enumerate(seeds(asked.target)):
        (corpus / str(number)).write_bytes(seed)
    options = [f"-max_total_time={asked.seconds}", "-timeout=10", f"-rss_limit_mb={asked.megabytes}", "-max_len=65536"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[asked.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
