"""What was read of the event files of a logdir and is not used yet, or is still written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator
    from pathlib import PurePath

    from mlflow_diagnose.readers.events.event_files import EventFile
    from mlflow_diagnose.readers.places import Place

__all__ = ["EventCache"]

MOST_POINTS = 8_000_000  # that are held, about 200 MB
TAG, FILE = 24, 100  # so many points' room a tag and a file take besides their points


class EventCache:
    """Reads each file once, and small files together with those that are to be read next.

    Where more is held than fits, what was used longest ago is forgotten, to be read again when it is needed.

    Args:
        place: Where the files are.
        verify: Whether to leave out records that do not match their checksum.

    Attributes:
        keeps: Whether files are kept when they are taken, to be read on from there when they have grown.
    """

    def __init__(self, place: Place, *, verify: bool) -> None:
        self.keeps = False
        self._place = place
        self._verify = verify
        self._order: list[PurePath] = []
        self._places: dict[PurePath, int] = {}
        self._held: dict[PurePath, EventFile] = {}
        self._stamps: dict[PurePath, Hashable] = {}
        self._grown: set[PurePath] = set()
        self._points = 0

    def expect(self, paths: Iterable[PurePath]) -> None:
        """Say in which order files will be read, and which of those that are kept have grown."""
        self._order = list(paths)
        self._places = {path: place for place, path in enumerate(self._order)}
        if not self.keeps:
            return
        for gone in self._held.keys() - self._places.keys():
            self._forget(gone)
        stamps = {path: self._place.stamp(path) for path in self._order}
        self._grown |= {path for path in self._held if stamps[path] != self._stamps.get(path)}
        self._stamps = stamps

    def stamp(self, path: PurePath) -> Hashable:
        """What tells whether a file that is kept has changed, as of when it was last expected."""
        return self._stamps.get(path)

    def look(self, path: PurePath) -> EventFile:
        """A file, which is held for when it is taken."""
        if path not in self._held or path in self._grown:
            for each, events in self._read_next(path).items():
                self._hold(each, events)
        found = self._held[path]
        if self.keeps:
            self._hold(path, found)  # as the one that was used last
        while self._points > MOST_POINTS:
            self._forget(next(iter(self._held)))
        return found

    def take(self, path: PurePath) -> EventFile:
        """A file, which is forgotten unless it is to be kept."""
        found = self.look(path)
        if path in self._held and not self.keeps:
            self._forget(path)
        return found

    def _read_next(self, path: PurePath) -> dict[PurePath, EventFile]:
        return self._place.read_next(self._following(path), before=self._held, verify=self._verify)

    def _following(self, path: PurePath) -> Iterator[PurePath]:
        yield path
        for place in range(self._places.get(path, len(self._order)) + 1, len(self._order)):
            if (following := self._order[place]) not in self._held or following in self._grown:
                yield following

    def _hold(self, path: PurePath, events: EventFile) -> None:
        """Hold a file, in place of what was held of it."""
        self._forget(path)
        self._held[path] = events
        self._points += _count(events)

    def _forget(self, path: PurePath) -> None:
        self._grown.discard(path)
        if path in self._held:
            self._points -= _count(self._held.pop(path))


def _count(events: EventFile) -> int:
    """What a file takes, in points: many runs of a few points each are mostly tags."""
    return FILE + sum(TAG + len(points) for points in events.points.values())
