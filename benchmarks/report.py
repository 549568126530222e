"""Results for people: tables for the terminal, Markdown for the documentation."""

import statistics
from collections.abc import Callable, Mapping, Sequence

from benchmarks.entries import Entry, Group
from benchmarks.footprint import Footprint
from benchmarks.measure import Measured, Spread
from benchmarks.outcome import Outcome

__all__ = ["duration", "markdown", "text"]

HEAD = ("workload", "contestant", "each", "25 to 75 %", "x driver", "25 to 75 %", "added")
GOALS = ("goal", "workload", "measured", "at most", "")
FOOTPRINT = ("library", "import", "installed", "memory of the import", "a bulk create of 100k adds")
Rows = Sequence[Sequence[str]]


def text(outcome: Outcome) -> str:
    """A table with a row for each workload and contestant, then the smaller tables."""
    parts = [", ".join(f"{name}: {value}" for name, value in outcome.surroundings.items())]
    if outcome.measured:
        parts.append(_aligned(_rows(outcome), 2))
    parts += [_aligned(rows, 3 if rows[0] is GOALS else 1) for _, rows in _smaller_tables(outcome)]
    parts += outcome.left_out
    return "\n\n".join(parts) + "\n"


def markdown(outcome: Outcome) -> str:
    """The same as tables for each group: workloads down, contestants across, ratios in the cells."""
    said = [f"- {name}: {value}" for name, value in outcome.surroundings.items()]
    parts = ["\n".join(said + [f"- {line}" for line in outcome.left_out])]
    for group in dict.fromkeys(entry.group for entry in outcome.entries):
        for bulk in (False, True):
            rows = _group(outcome, group, bulk)
            if len(rows) > 1:
                parts += [f"### {group.title}{', in bulk' if bulk else ''}", _table(rows)]
    for title, rows in _smaller_tables(outcome):
        parts += [f"### {title}", _table(rows, 3 if rows[0] is GOALS else 1)]
    return "\n\n".join(parts) + "\n"


def duration(microseconds: float) -> str:
    """
    >>> duration(16.94), duration(9647.2), duration(2_345_678.0)
    ('16.9 µs', '9.65 ms', '2.35 s')
    """
    for size, unit in ((1e6, "s"), (1e3, "ms")):
        if microseconds >= size:
            return f"{microseconds / size:.2f} {unit}"
    return f"{microseconds:.1f} µs"


def _rows(outcome: Outcome) -> Rows:
    rows: list[Sequence[str]] = [HEAD]
    for measured in outcome.measured:
        workload = measured.workload.name
        for entry in outcome.entries:
            baseline = measured.baseline(entry.group)
            if entry.name in measured.seconds and baseline is not None:
                rows.append((workload, entry.title, *_figures(measured, entry.name, baseline)))
                workload = ""
    return rows


def _figures(measured: Measured, name: str, baseline: str) -> Sequence[str]:
    each, ratio = measured.microseconds(name), measured.ratio(name, baseline)
    own = (duration(each.median), f"{duration(each.low)} to {duration(each.high)}")
    if name == baseline:
        return (*own, "1.00", "", "")
    added = measured.added(name, baseline).median
    sign = "-" if added < 0 else "+"
    return (*own, f"{ratio.median:.2f}", _quartiles(ratio), sign + duration(abs(added)))


def _group(outcome: Outcome, group: Group, bulk: bool) -> Rows:
    measured = [
        one for one in outcome.measured if one.workload.bulk is bulk and one.baseline(group) is not None
    ]
    entries = [
        entry
        for entry in outcome.entries
        if entry.group is group and any(entry.name in one.seconds for one in measured)
    ]
    head = ["workload", *(entry.title for entry in entries)]
    return [head, *([one.workload.name, *(_cell(one, entry) for entry in entries)] for one in measured)]


def _cell(measured: Measured, entry: Entry) -> str:
    baseline = measured.baseline(entry.group)
    if entry.name not in measured.seconds or baseline is None:
        return "-"
    if entry.name == baseline:
        return duration(measured.microseconds(entry.name).median)
    ratio = measured.ratio(entry.name, baseline)
    return f"{ratio.median:.2f} ({_quartiles(ratio)})"


def _smaller_tables(outcome: Outcome) -> Sequence[tuple[str, Rows]]:
    tables: list[tuple[str, Rows]] = []
    if outcome.footprints:
        tables.append(("Footprint", [FOOTPRINT, *map(_footprint, outcome.footprints)]))
    if outcome.startup is not None:
        tables.append(("The first use of DataFlow", [("what", "median"), *outcome.startup.lines().items()]))
    if outcome.layers:
        tables.append(("Where the time of the processor goes", _layers(outcome.layers)))
    if outcome.goals:
        tables.append(("The goals", [GOALS, *(goal.cells() for goal in outcome.goals)]))
    return tables


def _footprint(one: Footprint) -> Sequence[str]:
    def cell(value: float | None, written: Callable[[float], str]) -> str:
        return "-" if value is None else written(value)

    def memory(value: float) -> str:
        return f"{value:.0f} MiB"

    return (
        one.title,
        f"{statistics.median(one.imports):.0f} ms",
        cell(one.installed, lambda value: f"{value:.1f} MB"),
        memory(one.import_takes),
        cell(one.bulk_adds, memory),
    )


def _layers(layers: Mapping[str, Mapping[str, float]]) -> Rows:
    """Layers down, the greatest first, workloads across."""
    names = dict.fromkeys(name for shares in layers.values() for name in shares)
    cells = [(name, *(f"{shares.get(name, 0):.0%}" for shares in layers.values())) for name in names]
    return [("layer", *layers), *cells]


def _quartiles(spread: Spread) -> str:
    return f"{spread.low:.2f} to {spread.high:.2f}"


def _aligned(rows: Rows, texts: int) -> str:
    """Columns of equal width: so many texts to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if index < texts else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    head, *rest = rows
    return "\n".join([line(head), "-" * len(line(head)), *map(line, rest)])


def _table(rows: Rows, texts: int = 1) -> str:
    head, *rest = rows
    rule = ["---" if index < texts else "--:" for index in range(len(head))]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *rest])
