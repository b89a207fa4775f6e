"""Whether a run was already judged: a short text that changes when anything does that a verdict rests on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from functools import lru_cache

import numpy as np

from curve_analyzers import __version__
from curve_analyzers.analyzer import Analyzer
from curve_analyzers.model import RunCurves

__all__ = ["fingerprint"]


def fingerprint(run: RunCurves, rules: Iterable[Analyzer]) -> str:
    """32 hexadecimal digits from the curves, roles and params of a run, the rules, their thresholds, the version.

    Wall times are left out: stores keep them to different precision, and the same run in two stores is the same run.
    """
    digest = hashlib.blake2b(digest_size=16)

    def add(*words: object) -> None:
        digest.update(_told(*words))

    digest.update(_told(__version__) + _told_of(tuple(rules)))
    for key in sorted(run.params):
        add(key, run.params[key])
    for role in sorted(run.roles):
        add(role.name, run.roles[role])
    curves = [*sorted(run.curves.items()), *((role.name, curve) for role, curve in sorted(run.others.items()))]
    for name, curve in curves:
        add(name, curve.step_unit.value, curve.rewound, curve.duplicates)
        digest.update(np.ascontiguousarray(curve.steps, "<i8").tobytes())
        digest.update(np.ascontiguousarray(curve.values, "<f8").tobytes())
    return digest.hexdigest()


@lru_cache(maxsize=8)  # run after run is judged by the same rules
def _told_of(rules: tuple[Analyzer, ...]) -> bytes:
    by_name = sorted(rules, key=lambda rule: rule.name)
    return b"".join(_told(rule.name, sorted(asdict(rule).items())) for rule in by_name)


def _told(*words: object) -> bytes:
    return "\x1f".join(map(str, words)).encode("utf-8", "surrogatepass") + b"\x1e"
