"""What overlaps in a drawing, as a browser sees it."""

from __future__ import annotations

__all__ = ["COLLISIONS"]

COLLISIONS = """() => {
  const svg = [...document.querySelectorAll('svg')].find(one => one.checkVisibility());
  if (!svg) return [];
  const frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll('text')].filter(each => each.textContent.trim());
  const boxes = texts.map(each => [each.textContent, each.getBoundingClientRect()]);
  const found = [];
  boxes.forEach(([text, box], place) => {
    if (box.left < frame.left - 1 || box.right > frame.right + 1) found.push(`${text} leaves the picture`);
    for (const [other, beside] of boxes.slice(place + 1)) {
      const across = Math.min(box.right, beside.right) - Math.max(box.left, beside.left);
      const down = Math.min(box.bottom, beside.bottom) - Math.max(box.top, beside.top);
      if (across > 1 && down > Math.min(box.height, beside.height) / 3) found.push(`${text} over ${other}`);
    }
  });
  return found;
}"""
