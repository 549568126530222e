"""The parameters of a statement while its SQL is made: placeholders, encoders, and the order of both."""

import re
from collections.abc import Sequence
from itertools import count

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.abc import BatchInsert, BatchUpdate, Convert, Dialect
from dataflow.model.schema import ModelField
from dataflow.sql.compiled import Compiled, bind_in_order, row_binder, row_mapper
from dataflow.types import ColumnType, Kind

__all__ = ["COUNT", "Parameters"]

COUNT = ColumnType(Kind.INTEGER, int)
"""The type of a limit or an offset."""

# A placeholder while the text is being made: no name can hold this character.
MARK = "\x00"
MARKED = re.compile(f"{MARK}(\\d+){MARK}")


class Parameters:
    """Numbers the values of a statement in the order in which the statement lists them."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._encoders: dict[int, Convert] = {}
        self._count = 0

    def next(self, type: ColumnType, many: bool = False, pattern_of: str | None = None) -> Expression:
        """The placeholder for the next value.

        :param many: whether that value is a list of this type, which travels as one parameter.
        :param pattern_of: the operator whose pattern it is, such as ``"$like"``, where it is one.
        """
        index = self._count
        self._count += 1
        dialect = self._dialect
        encode = dialect.codec(type).encode if pattern_of is None else dialect.pattern(pattern_of)
        if many:
            encode = _packed(self._dialect.pack(type), encode)
        if encode is not None:
            self._encoders[index] = encode
        return exp.Var(this=f"{MARK}{index}{MARK}")

    def compiled(
        self, expression: Expression, returned: Sequence[ModelField] | None, *, constants: int | None = None
    ) -> Compiled:
        """The text of an expression that holds those placeholders.

        :param returned: the fields that each row brings; None where it brings no rows.
        :param constants: for the insertion of many rows: how many of the last values are the same for each.
        """
        positions: list[int] = []

        def placeholder(match: re.Match[str]) -> str:
            positions.append(int(match[1]))
            return self._dialect.placeholder(len(positions))

        marked = expression.sql(self._dialect.grammar)
        text = MARKED.sub(placeholder, marked)
        columns = tuple((field.name, self._dialect.codec(field.type).decode) for field in returned or ())
        mapper = row_mapper(columns) if columns else None
        bind = bind_in_order(positions, self._encoders, self._count)
        if constants is None:
            return Compiled(text, bind, mapper, columns)
        if not self._count:
            return Compiled(text, None, mapper, columns, BatchInsert(text, "", "", 0, returned is not None))
        head, row, tail = _split_values(marked)
        pieces = BatchInsert(head, MARKED.sub(placeholder, row), tail, self._count, returned is not None)
        encoders = [self._encoders.get(index) for index in range(self._count)]
        return Compiled(text, None, mapper, columns, pieces, row_binder(encoders, constants))

    def compiled_in_pieces(self, expression: Expression, width: int) -> Compiled:
        """The text of an UPDATE from a list of rows, of which it holds one.

        :param width: how many of the values are those of the row; they were asked for first.
        """
        head, row, tail = _split_values(expression.sql(self._dialect.grammar), width)
        shared = [int(index) - width for index in MARKED.findall(head + tail)]
        places = count(1)

        def placeholder(match: re.Match[str]) -> str:
            return self._dialect.placeholder(next(places))

        pieces = [MARKED.sub(placeholder, piece) for piece in (head, tail, row)]
        before = len(MARKED.findall(head))
        update = BatchUpdate(pieces[0], pieces[2], pieces[1], width, before)
        of_row = {index: encode for index, encode in self._encoders.items() if index < width}
        of_all = {index - width: encode for index, encode in self._encoders.items() if index >= width}
        return Compiled(
            "".join((pieces[0], pieces[2], pieces[1])),
            bind_in_order(range(width), of_row, width),
            update=update,
            bind_shared=bind_in_order(shared, of_all, self._count - width),
        )


def _packed(pack: Convert, encode: Convert | None) -> Convert:
    if encode is None:
        return pack
    return lambda members: pack([encode(member) for member in members])


def _split_values(marked: str, width: int | None = None) -> tuple[str, str, str]:
    """A statement of one row as the text before the row, the row with its parentheses, and the text after it.

    :param width: how many values the row has; None where no other ones stand in the text.
    """
    start = marked.index(MARK if width is None else f"{MARK}0{MARK}") - 1
    last = (
        marked.rindex(MARK)
        if width is None
        else marked.index(mark := f"{MARK}{width - 1}{MARK}") + len(mark) - 1
    )
    return marked[:start], marked[start : last + 2], marked[last + 2 :]
