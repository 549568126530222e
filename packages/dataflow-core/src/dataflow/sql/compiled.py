"""What the compiler makes: SQL, and how values go in and rows come out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dataflow.abc import BatchInsert, BatchUpdate, Convert, DecodesUnless, Row

__all__ = [
    "Bind",
    "BindRows",
    "Compiled",
    "MapRow",
    "bind_in_order",
    "row_binder",
    "row_mapper",
    "unreadable",
]

Bind = Callable[[Sequence[Any]], Sequence[Any]]
BindRows = Callable[[Sequence[Sequence[Any]], Sequence[Any]], Sequence[Sequence[Any]]]
MapRow = Callable[[Row], dict[str, Any]]


class Compiled(NamedTuple):
    """A statement's shape as SQL.

    :param sql: the text, with the placeholders of the dialect.
    :param bind: makes the driver's parameters of a statement's values; None where they fit as they are.
    :param map_row: makes a dict of a row of the driver; None where the statement brings no rows.
    :param columns: name and decoder of each column of such a row.
    :param batch: the pieces of a batch insert, else None.
    :param bind_rows: makes its rows of the statement's rows and constants; None where the rows fit as they are.
    :param names: the parameters of SQL of the user's own, in the order of its placeholders.
    :param update: the pieces of an update from rows, else None; ``bind`` is then for one row of it.
    :param bind_shared: as ``bind``, for the values that such an update gives to all rows.
    """

    sql: str
    bind: Bind | None = None
    map_row: MapRow | None = None
    columns: tuple[tuple[str, Convert | None], ...] = ()
    batch: BatchInsert | None = None
    bind_rows: BindRows | None = None
    names: tuple[str, ...] = ()
    update: BatchUpdate | None = None
    bind_shared: Bind | None = None


def bind_in_order(positions: Sequence[int], encoders: Mapping[int, Convert], count: int) -> Bind | None:
    """A function that puts values in the order of the placeholders and encodes those that need it, written for them.

    :param positions: for each placeholder, the index of its value.
    :param encoders: for the index of a value, its encoder.
    :param count: how many values there are; the text may have no use for one of them.
    """
    steps = tuple((position, encoders.get(position)) for position in positions)
    if steps == tuple((index, None) for index in range(count)):
        return None

    cells = "".join(f"{_bound(position, encode)}, " for position, encode in steps)
    space: dict[str, Any] = {f"encode_{index}": encode for index, encode in encoders.items()}
    exec(f"def bind(values):\n    return ({cells})", space)
    bind: Bind = space["bind"]
    return bind


def _bound(index: int, encode: Convert | None) -> str:
    value = f"values[{index}]"
    return value if encode is None else f"None if {value} is None else encode_{index}({value})"


def row_binder(encoders: Sequence[Convert | None], constants: int) -> BindRows | None:
    """A function that encodes many rows, written for these columns, and adds the constants to each.

    :param encoders: of each column, those of the constants last.
    :param constants: how many there are.
    """
    if not constants and not any(encoders):
        return None
    cells = [_encoded(index, encode) for index, encode in enumerate(encoders)]
    varying = len(encoders) - constants
    unpacked = "".join(f"cell_{index}, " for index in range(varying))
    lines = [f"cell_{varying + number} = constants[{number}]" for number in range(constants)]
    lines += [f"cell_{index} = {cells[index]}" for index in range(varying, len(cells))]
    row = ", ".join([*cells[:varying], *(f"cell_{index}" for index in range(varying, len(cells)))])
    lines.append(f"return [({row},) for {unpacked or '_'} in rows]")
    space: dict[str, Any] = {f"encode_{index}": encode for index, encode in enumerate(encoders)}
    body = "".join(f"    {line}\n" for line in lines)
    exec(f"def bind_rows(rows, constants):\n{body}", space)
    binder: BindRows = space["bind_rows"]
    return binder


def _encoded(index: int, encode: Convert | None) -> str:
    cell = f"cell_{index}"
    return cell if encode is None else f"None if {cell} is None else encode_{index}({cell})"


def unreadable(columns: Sequence[tuple[str, Convert | None]], row: Row) -> str | None:
    """The name of the column whose value cannot be decoded."""
    for (name, decode), cell in zip(columns, row, strict=True):
        try:
            _ = cell if decode is None or cell is None else decode(cell)
        except Exception:
            return name
    return None


def row_mapper(columns: Sequence[tuple[str, Convert | None]]) -> MapRow:
    """A function that makes a dict of a row, written for these columns; ``_id.city`` is the city in a dict ``_id``.

    The text is made of numbers and of the names' own literals; a dict display is nearly twice as fast as ``zip``.
    """
    cells = "".join(f"cell_{index}, " for index in range(len(columns)))
    space: dict[str, Any] = {f"decode_{index}": decode for index, (_, decode) in enumerate(columns)}
    for index, (_, decode) in enumerate(columns):
        if isinstance(decode, DecodesUnless):
            space |= {f"decode_{index}": decode.decode, f"plain_{index}": decode.value}
    exec(f"def map_row(row):\n    {cells}= row\n    return {_display(columns)}", space)
    mapper: MapRow = space["map_row"]
    return mapper


def _display(columns: Sequence[tuple[str, Convert | None]]) -> str:
    """The dict as Python text."""
    entries: dict[str, str] = {}
    parts: dict[str, list[str]] = {}
    for index, (path, decode) in enumerate(columns):
        name, dot, part = path.partition(".")
        value = _value(index, decode)
        if dot:
            parts.setdefault(name, []).append(f"{part!r}: {value}")
            value = ""
        entries[name] = value
    texts = (f"{name!r}: {value or _braced(parts[name])}" for name, value in entries.items())
    return _braced(texts)


def _braced(entries: Iterable[str]) -> str:
    return f"{{{', '.join(entries)}}}"


def _value(index: int, decode: Convert | None) -> str:
    cell = f"cell_{index}"
    if isinstance(decode, DecodesUnless):
        as_is = f"{cell} is None or {cell}.{decode.attribute} is plain_{index}"
        return f"{cell} if {as_is} else decode_{index}({cell})"
    return cell if decode is None else f"None if {cell} is None else decode_{index}({cell})"
