"""What holds for every benchmark: `--share`, and a table of the figures that are wanted, as ratios within one run.

A module of benchmarks says in `TARGETS` what they have to show.
"""

from __future__ import annotations

from dataclasses import asdict

import pytest

from benchmarks.stores import big_store
from benchmarks.targets import rows

BENCHMARKS, TARGETS = pytest.StashKey(), pytest.StashKey()


def pytest_addoption(parser):
    """`--share` tries the benchmarks on less."""
    parser.addoption("--share", type=float, default=1.0, help="the share of a benchmark's data that is laid down")


@pytest.fixture(scope="session")
def runs(request):
    """How many runs the store has: 2,000 at most."""
    return max(20, int(2000 * request.config.getoption("--share")))


@pytest.fixture(scope="session")
def store(tmp_path_factory, runs):
    """The big store in sqlite."""
    return big_store(tmp_path_factory.mktemp("big"), runs)


def pytest_collection_modifyitems(config, items):
    """Take the targets of the modules that are run."""
    modules = dict.fromkeys(item.module for item in items)
    config.stash[TARGETS] = [target for module in modules for target in getattr(module, "TARGETS", ())]


@pytest.hookimpl(tryfirst=True)
def pytest_benchmark_group_stats(config, benchmarks):
    """Keep what was measured; the grouping is left to pytest-benchmark."""
    config.stash[BENCHMARKS] = benchmarks


def pytest_benchmark_update_json(config, benchmarks, output_json):
    """Put the ratios beside the times."""
    measured = [each.as_dict(include_data=False, flat=True) for each in benchmarks]
    output_json["ratios"] = [asdict(row) for row in rows(config.stash[TARGETS], measured)]


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter, config):
    """Show the ratios."""
    found = list(rows(config.stash.get(TARGETS, []), config.stash.get(BENCHMARKS, [])))
    if not found:
        return
    width = max(len(row.says) for row in found)
    terminalreporter.section("what was wanted, and what was measured (medians)")
    for row in found:
        other = f"{row.other:10.4g}" if row.other is not None else 10 * " "
        line = f"{row.says:{width}} {row.ours:10.4g} {other} {row.figure:10.3g}   {row.wanted}"
        terminalreporter.write_line(line if row.met else f"{line}: MISSED", red=not row.met)
