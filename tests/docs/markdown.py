"""The code in a page of Markdown, and whether an output is what a page says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")
NEAR = 0.1  # another version of scikit-learn trains a little differently
ANY = "..."


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: What stands behind the fence, `sh`; empty for an output.
        info: What follows it: a file's name, or `exit=1`.
        text: The code.
        output: Of a command, what the block right after it says it prints; None where none follows.
    """

    language: str
    info: str
    text: str
    output: str | None = None


def blocks(page: str) -> list[Block]:
    """The blocks of a page in order, an output with the command it follows."""
    found: list[Block] = []
    end = 0
    for fence in FENCE.finditer(page):
        language, _, info = fence[1].strip().partition(" ")
        follows = not page[end : fence.start()].strip()
        if not language and found and found[-1].language == "sh" and follows:
            last = found.pop()
            found.append(Block(last.language, last.info, last.text, fence[2]))
        else:
            found.append(Block(language, info, fence[2]))
        end = fence.end()
    return found


def is_printed(expected: str, printed: str) -> bool:
    """Whether an output is as expected: `...` stands for any lines, or the rest of one; numbers may differ a little."""
    wanted, lines = [line.rstrip() for line in expected.rstrip().split("\n")], printed.rstrip().split("\n")

    @cache
    def fits(at: int, line: int) -> bool:
        if at == len(wanted):
            return line == len(lines)
        if wanted[at] == ANY:
            return any(fits(at + 1, rest) for rest in range(line, len(lines) + 1))
        return line < len(lines) and _same(wanted[at], lines[line].rstrip()) and fits(at + 1, line + 1)

    return fits(0, 0)


def _same(wanted: str, line: str) -> bool:
    if wanted.endswith(ANY):
        wanted = wanted.removesuffix(ANY)
        line = line[: len(wanted)]
    if NUMBER.sub("0", wanted) != NUMBER.sub("0", line):
        return False
    pairs = zip(NUMBER.findall(wanted), NUMBER.findall(line), strict=True)
    return all(abs(float(one) - float(other)) <= max(NEAR * abs(float(one)), 1.0) for one, other in pairs)
