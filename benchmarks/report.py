"""Results for people: a table for the terminal, Markdown for the documentation."""

from collections.abc import Sequence

from benchmarks.entries import Entry, Group
from benchmarks.measure import Measured, Spread
from benchmarks.outcome import Outcome

__all__ = ["markdown", "text"]

HEAD = ("workload", "contestant", "µs each", "25 to 75 %", "x driver", "25 to 75 %", "µs added")


def text(outcome: Outcome) -> str:
    """A table with a row for each workload and contestant, then startup, layers and promises."""
    parts = [", ".join(f"{name}: {value}" for name, value in outcome.surroundings.items())]
    if outcome.measured:
        parts.append(_aligned(_rows(outcome)))
    if outcome.startup is not None:
        parts.append(_aligned([("startup", ""), *outcome.startup.lines().items()]))
    if outcome.layers:
        shares = [(layer, f"{share:.0%}") for layer, share in outcome.layers.items()]
        parts.append(_aligned([("a read by id through LocalRuntime", "share"), *shares]))
    parts += [f"Promise: {promise.line()}" for promise in outcome.promises]
    return "\n\n".join(parts) + "\n"


def markdown(outcome: Outcome) -> str:
    """The same as a table for each group: workloads down, contestants across, ratios in the cells."""
    said = [f"- {name}: {value}" for name, value in outcome.surroundings.items()]
    parts = ["\n".join(said)]
    for group in dict.fromkeys(entry.group for entry in outcome.entries):
        parts += _group(outcome, group)
    if outcome.startup is not None:
        parts.append("### Startup")
        parts.append(_table([("what", "median"), *outcome.startup.lines().items()]))
    if outcome.layers:
        shares = [(layer, f"{share:.0%}") for layer, share in outcome.layers.items()]
        parts.append("### Where the time of a read by id goes")
        parts.append(_table([("layer", "share"), *shares]))
    if outcome.promises:
        parts.append("### The promises")
        parts.append("\n".join(f"- {promise.line()}" for promise in outcome.promises))
    return "\n\n".join(parts) + "\n"


def _rows(outcome: Outcome) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [HEAD]
    for measured in outcome.measured:
        workload = measured.workload.name
        for entry in _those_in(outcome.entries, measured):
            baseline = entry.group.baseline
            each, ratio = measured.microseconds(entry.name), measured.ratio(entry.name, baseline)
            added = "" if entry.name == baseline else f"{measured.added(entry.name, baseline).median:+.1f}"
            quartiles = "" if entry.name == baseline else _quartiles(ratio, 2)
            rows.append(
                (
                    workload,
                    entry.title,
                    f"{each.median:.1f}",
                    _quartiles(each, 1),
                    f"{ratio.median:.2f}",
                    quartiles,
                    added,
                )
            )
            workload = ""
    return rows


def _group(outcome: Outcome, group: Group) -> Sequence[str]:
    entries = [entry for entry in outcome.entries if entry.group is group]
    rows: list[Sequence[str]] = []
    for measured in outcome.measured:
        if group.baseline in measured.seconds:
            rows.append([measured.workload.name, *(_cell(measured, entry) for entry in entries)])
    if not rows:
        return ()
    head = ["workload", *(entry.title for entry in entries)]
    return f"### {group.title}", _table([head, *rows])


def _cell(measured: Measured, entry: Entry) -> str:
    if entry.name not in measured.seconds:
        return "-"
    if entry.name == entry.group.baseline:
        return f"{measured.microseconds(entry.name).median:,.1f} µs"
    ratio = measured.ratio(entry.name, entry.group.baseline)
    return f"{ratio.median:.2f} ({_quartiles(ratio, 2)})"


def _those_in(entries: Sequence[Entry], measured: Measured) -> Sequence[Entry]:
    return [entry for entry in entries if entry.name in measured.seconds]


def _quartiles(spread: Spread, digits: int) -> str:
    return f"{spread.low:.{digits}f} to {spread.high:.{digits}f}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width: texts to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    texts = 2 if len(widths) > 2 else 1

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if index < texts else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    head, *rest = rows
    return "\n".join([line(head), "-" * len(line(head)), *map(line, rest)])


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = rows
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
