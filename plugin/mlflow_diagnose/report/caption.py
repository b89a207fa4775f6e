"""What the strokes of a chart mean, told below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_diagnose.report import texts, words
from mlflow_diagnose.report.panels import plan

if TYPE_CHECKING:
    from curve_analyzers.findings import Report

__all__ = ["caption"]

PIXELS = 640  # what is shown does not depend on it


def caption(report: Report) -> str:
    """The caption of a report's chart: a sentence for each kind of stroke that it has."""
    shown = plan(report, PIXELS)
    told = [texts.CAPTION]
    told += [texts.CAPTION_BARS] if shown.bars else []
    told += [texts.CAPTION_RISE] if any(panel.rise for panel in shown.panels) else []
    told += [texts.CAPTION_BAND] if any(panel.band for panel in shown.panels) else []
    return words.sentences(told)
