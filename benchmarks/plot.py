"""Results as a picture: SVG, written by hand."""

from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.entries import Entry, Group
from benchmarks.measure import Measured
from benchmarks.outcome import Outcome

__all__ = ["svg"]

WIDTH, LABEL, BAR, GAP, TOP = 860, 220, 13, 12, 40
COLOURS = ("#1f5aa6", "#79a7dd", "#8a8a8a", "#c3c3c3")


def svg(outcome: Outcome) -> str:
    """Bars, a block for each group: how many times the bare driver's time, with a whisker for the quartiles."""
    groups = list(dict.fromkeys(entry.group for entry in outcome.entries))
    lines: list[str] = []
    height = 0
    for group in groups:
        drawn, height = _block(outcome, group, height)
        lines += drawn
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
            ' font-size="12">',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            *lines,
            "</svg>\n",
        ]
    )


def _block(outcome: Outcome, group: Group, top: int) -> tuple[Sequence[str], int]:
    entries = [entry for entry in outcome.entries if entry.group is group and entry.name != group.baseline]
    measured = [one for one in outcome.measured if group.baseline in one.seconds]
    if not measured:
        return (), top
    longest = max(
        one.ratio(entry.name, group.baseline).high
        for one in measured
        for entry in entries
        if entry.name in one.seconds
    )
    scale = (WIDTH - LABEL - 60) / max(longest, 1.0)
    lines = [_text(10, top + 18, f"{group.title}: times the bare driver's time", weight="bold")]
    x = LABEL
    for entry, colour in zip(entries, COLOURS, strict=False):
        lines += [_bar(x, top + 26, 10, 10, colour), _text(x + 14, top + 35, entry.title)]
        x += 24 + 7 * len(entry.title)
    y = top + TOP + 8
    for one in measured:
        lines.append(_text(LABEL - 8, y + BAR, one.workload.name, anchor="end"))
        for bars in _bars(one, entries, group, y, scale):
            lines += bars
            y += BAR
        y += GAP
    driver = LABEL + scale
    lines.append(
        f'<line x1="{driver:.1f}" y1="{top + TOP}" x2="{driver:.1f}" y2="{y}" stroke="black" stroke-dasharray="3"/>'
    )
    return lines, y + GAP


def _bars(
    one: Measured, entries: Sequence[Entry], group: Group, top: int, scale: float
) -> Iterator[Sequence[str]]:
    y = top
    for entry, colour in zip(entries, COLOURS, strict=False):
        if entry.name not in one.seconds:
            continue
        ratio = one.ratio(entry.name, group.baseline)
        middle = y + BAR / 2
        low, high = LABEL + scale * ratio.low, LABEL + scale * ratio.high
        yield (
            _bar(LABEL, y + 1, scale * ratio.median, BAR - 2, colour),
            f'<line x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}" stroke="black"/>',
            _text(high + 4, y + BAR - 2, f"{ratio.median:.2f}"),
        )
        y += BAR


def _bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
