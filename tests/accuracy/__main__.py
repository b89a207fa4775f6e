"""Print how right the rules are on a part of the labelled runs.

    PYTHONPATH=tests python -m accuracy tuning [--kind KIND] [--runs]
    PYTHONPATH=tests python -m accuracy held_out --write

With `--runs` each run that was judged wrongly is listed below the tables; with `--write` the tables go into
analyzers/README.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from accuracy.labelled import load
from accuracy.page import HEADING, section, tables
from accuracy.scores import judge

README = Path(__file__).parents[2] / "analyzers" / "README.md"


def main() -> None:
    """Judge, and print."""
    parser = argparse.ArgumentParser(prog="accuracy", description="How right the rules are on labelled runs.")
    parser.add_argument("part", choices=["tuning", "held_out"])
    parser.add_argument("--runs", action="store_true", help="list the runs that were judged wrongly")
    parser.add_argument("--kind", help="only the runs of this kind")
    parser.add_argument("--write", action="store_true", help="put the tables into analyzers/README.md")
    options = parser.parse_args()
    scores = judge(run for run in load(options.part) if options.kind in {None, run.kind})
    print(tables(scores))
    if options.write:
        text = README.read_text("utf-8").partition(HEADING)[0].rstrip()
        README.write_text(f"{text}\n\n{section(scores)}", "utf-8")
    if options.runs:
        for each in scores.judged:
            labelled, blamed = each.labelled, [finding.rule for finding in each.blamed]
            wrong = [rule for rule in blamed if rule not in labelled.true]
            missed = labelled.shows and not labelled.healthy and labelled.label not in each.found
            if wrong or missed:
                print(f"{labelled.run.run_id} ({labelled.kind}): {labelled.label}, blamed {blamed}, wrong {wrong}")


if __name__ == "__main__":
    main()
