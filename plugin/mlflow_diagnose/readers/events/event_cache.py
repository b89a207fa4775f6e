"""What was read of the event files of a logdir and is not used yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_diagnose.readers.events.event_files import read_next

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mlflow_diagnose.readers.events.event_files import EventFile

__all__ = ["EventCache"]

MOST_POINTS = 8_000_000  # that are held, about 200 MB


class EventCache:
    """Reads each file once, and small files together with those that are to be read next.

    Where more is held than fits, what was read first is forgotten, to be read again when it is needed.
    """

    def __init__(self, *, verify: bool) -> None:
        self._verify = verify
        self._order: list[Path] = []
        self._places: dict[Path, int] = {}
        self._held: dict[Path, EventFile] = {}
        self._points = 0

    def expect(self, paths: Iterable[Path]) -> None:
        """Say in which order files will be read."""
        self._order = list(paths)
        self._places = {path: place for place, path in enumerate(self._order)}

    def clear(self) -> None:
        """Forget all that is held: the files may have grown since."""
        self._held.clear()
        self._points = 0

    def look(self, path: Path) -> EventFile:
        """A file, which is held for when it is taken."""
        if path not in self._held:
            for each, events in read_next(self._following(path), verify=self._verify).items():
                self._held[each] = events
                self._points += _count(events)
        found = self._held[path]
        while self._points > MOST_POINTS:
            self._forget(next(iter(self._held)))
        return found

    def take(self, path: Path) -> EventFile:
        """A file, which is forgotten."""
        found = self.look(path)
        if path in self._held:
            self._forget(path)
        return found

    def _following(self, path: Path) -> Iterator[Path]:
        yield path
        for place in range(self._places.get(path, len(self._order)) + 1, len(self._order)):
            if (following := self._order[place]) not in self._held:
                yield following

    def _forget(self, path: Path) -> None:
        self._points -= _count(self._held.pop(path))


def _count(events: EventFile) -> int:
    return sum(map(len, events.points.values()))
