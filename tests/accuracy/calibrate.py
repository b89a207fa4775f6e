"""Fit how often findings are right to how sure their rules are, on the tuning part.

    PYTHONPATH=tests python -m accuracy.calibrate [--write]

`--write` puts the figures into curve_analyzers/calibration.py. How well they hold on runs that were not looked at is
measured on the part `held_out`, in the tables of analyzers/README.md.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from accuracy.labelled import load
from accuracy.scores import judge
from curve_analyzers import calibration

PULL = 1.0  # towards the offset of all rules, in squared log odds
BEFORE = 0.5  # findings of a rule that were right, and that were wrong, before any was seen: no rule is always right


def observed() -> list[tuple[str, float, bool]]:
    """Each finding that makes a run of the tuning part unhealthy: its rule, how sure that was, whether it is right."""
    calibration.SLOPE, calibration.USUAL, calibration.OFFSETS = 1.0, 0.0, {}  # as the rules say it
    return [
        (finding.rule, finding.confidence, each.right(finding))
        for each in judge(load("tuning")).judged
        for finding in each.blamed
    ]


def fit(seen: list[tuple[str, float, bool]]) -> tuple[float, float, dict[str, float]]:
    """The slope, the offset of all rules, and that of each rule, by penalised likelihood."""
    rules = sorted({rule for rule, _, _ in seen})
    place = np.array([rules.index(rule) for rule, _, _ in seen])
    odds = np.array([calibration.logit(sure) for _, sure, _ in seen])
    right = np.array([right for _, _, right in seen], np.float64)

    def loss(weights: np.ndarray) -> float:
        slope, usual, offsets = weights[0], weights[1], weights[2:]
        at = slope * odds + offsets[place]
        unseen = BEFORE * (2 * np.logaddexp(0, offsets) - offsets).sum()  # one right and one wrong at even odds
        return float(np.logaddexp(0, at).sum() - right @ at + PULL * ((offsets - usual) ** 2).sum() + unseen)

    bounds = [(0.0, 2.0), *[(None, None)] * (len(rules) + 1)]
    weights = minimize(loss, np.r_[1.0, np.zeros(len(rules) + 1)], method="L-BFGS-B", bounds=bounds).x
    return float(weights[0]), float(weights[1]), dict(zip(rules, map(float, weights[2:]), strict=True))


def write(slope: float, usual: float, offsets: dict[str, float]) -> None:
    """Put the figures into their module."""
    path = Path(calibration.__file__)
    rows = "".join(f'    "{rule}": {offset:.2f},\n' for rule, offset in sorted(offsets.items()))
    text = re.sub(r"^SLOPE = .*$", f"SLOPE = {slope:.2f}", path.read_text("utf-8"), flags=re.MULTILINE)
    text = re.sub(r"^USUAL = .*$", f"USUAL = {usual:.2f}", text, flags=re.MULTILINE)
    text = re.sub(r"^(OFFSETS: .*? = )\{.*?\}$", rf"\g<1>{{\n{rows}}}", text, flags=re.MULTILINE | re.DOTALL)
    path.write_text(text, "utf-8")


def main() -> None:
    """Fit, print, and write where asked to."""
    parser = argparse.ArgumentParser(prog="accuracy.calibrate", description="Calibrate confidence on the tuning part.")
    parser.add_argument("--write", action="store_true", help="put the figures into curve_analyzers/calibration.py")
    options = parser.parse_args()
    slope, usual, offsets = fit(observed())
    print(f"slope {slope:.2f}, usual {usual:.2f}", {rule: round(offset, 2) for rule, offset in offsets.items()})
    if options.write:
        write(slope, usual, offsets)


if __name__ == "__main__":
    main()
