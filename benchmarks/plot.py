"""Results as a picture: SVG, written by hand. A line for each workload, a mark for each contestant."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from benchmarks.entries import Entry, Group
from benchmarks.measure import Measured
from benchmarks.outcome import Outcome

__all__ = ["svg"]

WIDTH, LEFT, RIGHT, LINE = 960, 250, 30, 24
INK, FAINT, BAND = "#1c2430", "#8b95a3", "#f4f6f9"
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
FONT = "Inter, Helvetica, Arial, sans-serif"


class Mark(NamedTuple):
    """How a contestant is drawn.

    :param shape: of a mark of the size 2, around the origin.
    :param hollow: only the outline.
    """

    colour: str
    shape: str
    hollow: bool = False
    size: float = 4.6


CIRCLE = "M1 0A1 1 0 1 1 -1 0A1 1 0 1 1 1 0Z"
SQUARE = "M-.88 -.88H.88V.88H-.88Z"
DIAMOND = "M0 -1.2L1.2 0L0 1.2L-1.2 0Z"
UP = "M0 -1.15L1.1 .85H-1.1Z"
DOWN = "M0 1.15L1.1 -.85H-1.1Z"
STROKE = "M-.28 -1.3H.28V1.3H-.28Z"

OTHER = Mark(FAINT, CIRCLE)
MARKS = {
    "DataFlow LocalRuntime": Mark("#1257d6", CIRCLE, size=6.4),
    "DataFlow AsyncLocalRuntime": Mark("#1257d6", CIRCLE, size=6.4),
    "DataFlow direct calls": Mark("#1257d6", CIRCLE, hollow=True),
    "sqlite3, undecoded": Mark(FAINT, STROKE),
    "sqlite3, executemany": Mark(FAINT, STROKE),
    "sqlite3, run_in_executor, executemany": Mark(FAINT, STROKE),
    "sqlite3, thread and queue": Mark(FAINT, STROKE, hollow=True),
    "asyncpg, one connection": Mark(FAINT, STROKE),
    "asyncpg, its own pool": Mark(FAINT, DIAMOND),
    "asyncpg, other ways": Mark(FAINT, STROKE, hollow=True),
    "asyncmy, one connection": Mark(FAINT, STROKE),
    "aiomysql, pooled": Mark(FAINT, DIAMOND),
    "aiomysql, LOAD DATA": Mark(FAINT, STROKE, hollow=True),
    "DataFlow on aiomysql": Mark("#1257d6", DIAMOND, hollow=True),
    "DataFlow, a saga": Mark("#1257d6", SQUARE),
    "SQLAlchemy Core": Mark("#d1490c", SQUARE),
    "SQLAlchemy ORM": Mark("#d1490c", SQUARE, hollow=True),
    "SQLAlchemy ORM, row by row": Mark("#d1490c", DOWN, hollow=True),
    "Django": Mark("#0b7a52", UP),
    "Django, row by row": Mark("#0b7a52", DOWN, hollow=True),
    "Peewee": Mark("#b98900", DOWN),
    "Tortoise ORM": Mark("#8a3ea8", DIAMOND),
    "Piccolo": Mark("#c2417f", UP),
}


class Scale(NamedTuple):
    """Ratios to places from left to right, by their logarithms."""

    least: float
    most: float

    def x(self, ratio: float) -> float:
        whole = math.log(self.most / self.least)
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(max(ratio, self.least) / self.least) / whole

    def ticks(self) -> Iterator[float]:
        return (tick for tick in TICKS if self.least <= tick <= self.most)


def svg(outcome: Outcome) -> str:
    """A block for each group: how many times the bare driver's time, from left to right."""
    drawn: list[str] = []
    height = 18.0
    for group in dict.fromkeys(entry.group for entry in outcome.entries):
        lines, height = _block(outcome, group, height)
        drawn += lines
    height += 6
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" font-family="{FONT}"'
            f' font-size="12.5" fill="{INK}">',
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="white"/>',
            *drawn,
            "</svg>\n",
        ]
    )


def _block(outcome: Outcome, group: Group, top: float) -> tuple[Sequence[str], float]:
    lines = [one for one in outcome.measured if one.baseline(group) is not None]
    entries = [
        entry
        for entry in outcome.entries
        if entry.group is group and any(_is_drawn(one, entry) for one in lines)
    ]
    if not entries:
        return (), top
    scale = _scale([_ratio(one, entry) for one in lines for entry in entries if _is_drawn(one, entry)])
    drawn = [
        _text(24, top + 14, group.title, size=17, weight=600),
        _text(
            24,
            top + 33,
            "How many times as long as the bare driver by hand, in bulk in the fastest of its ways; less is better",
            colour=FAINT,
        ),
    ]
    legend, y = _legend(entries, top + 56)
    drawn += legend
    first, rows = y + 12, []
    y = first
    for number, one in enumerate(lines):
        if number and _kind(one) != _kind(lines[number - 1]):
            y += 10
        rows += list(_line(one, entries, scale, y, number % 2 == 0))
        y += LINE
    return [*drawn, *_grid(scale, first, y), *rows], y + 52


def _scale(ratios: Sequence[float]) -> Scale:
    least = max(tick for tick in TICKS if tick <= max(min(0.9, *ratios), TICKS[0]))
    return Scale(least, max(*ratios, 2.0) * 1.1)


def _legend(entries: Sequence[Entry], y: float) -> tuple[Sequence[str], float]:
    drawn: list[str] = []
    x = 30.0
    for entry in entries:
        wide = 26 + 7.2 * len(entry.title)
        if x + wide > WIDTH - RIGHT:
            x, y = 30.0, y + 20
        drawn += [_mark(_look(entry), x, y), _text(x + 12, y + 4.5, entry.title)]
        x += wide + 10
    return drawn, y + 10


def _grid(scale: Scale, top: float, bottom: float) -> Iterator[str]:
    for tick in scale.ticks():
        x = scale.x(tick)
        driver = tick == 1
        yield (
            f'<line x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" stroke="{INK if driver else "#dfe4ea"}"'
            f' stroke-width="{1.4 if driver else 1}"/>'
        )
        label = "driver" if driver else f"{tick:g} x"
        yield _text(x, bottom + 17, label, anchor="middle", colour=INK if driver else FAINT)


def _line(one: Measured, entries: Sequence[Entry], scale: Scale, y: float, band: bool) -> Iterator[str]:
    middle = y + LINE / 2
    if band:
        yield (
            f'<rect x="24" y="{y:.1f}" width="{WIDTH - 24 - RIGHT + 12}" height="{LINE}" rx="3" fill="{BAND}"'
            ' style="mix-blend-mode:multiply"/>'
        )
    yield _text(LEFT - 16, middle + 4.5, one.workload.name, anchor="end")
    # DataFlow last, and so on top.
    for entry in sorted(entries, key=lambda entry: _look(entry).size):
        if _is_drawn(one, entry):
            yield _mark(
                _look(entry),
                scale.x(_ratio(one, entry)),
                middle,
                f"{entry.title}: {_ratio(one, entry):.2f} x",
            )


def _is_drawn(one: Measured, entry: Entry) -> bool:
    return entry.name in one.seconds and entry.name != one.baseline(entry.group)


def _ratio(one: Measured, entry: Entry) -> float:
    baseline = one.baseline(entry.group)
    assert baseline is not None
    return one.ratio(entry.name, baseline).median


def _kind(one: Measured) -> tuple[bool, bool]:
    return one.workload.bulk, one.workload.tasks > 1


def _look(entry: Entry) -> Mark:
    return MARKS.get(entry.title, OTHER)


def _mark(look: Mark, x: float, y: float, told: str = "") -> str:
    paint = (
        f'fill="white" stroke="{look.colour}" stroke-width="{1.7 / look.size:.2f}"'
        if look.hollow
        else f'fill="{look.colour}" fill-opacity="0.92"'
    )
    title = f"<title>{escape(told)}</title>" if told else ""
    place = f'transform="translate({x:.1f} {y:.1f}) scale({look.size})"'
    return f'<path d="{look.shape}" {place} {paint}>{title}</path>'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    colour: str = INK,
    size: float = 12.5,
    weight: int = 400,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}"'
        f' font-weight="{weight}">{escape(text)}</text>'
    )
