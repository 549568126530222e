"""The parameters of a statement while its SQL is made: placeholders, encoders, and the order of both."""

import re
from collections.abc import Sequence
from itertools import count

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.abc import BatchInsert, BatchUpdate, Convert, Dialect
from dataflow.model.schema import Model, ModelField
from dataflow.sql.codecs import codec_of
from dataflow.sql.compiled import Compiled, bind_in_order, row_binder, row_mapper
from dataflow.types import ColumnType, Kind

__all__ = ["COUNT", "ROWS", "Parameters"]

COUNT = ColumnType(Kind.INTEGER, int)
"""The type of a limit or an offset."""

# A placeholder while the text is being made: no name can hold this character.
MARK = "\x00"
MARKED = re.compile(f"{MARK}(\\d+){MARK}")
ROWS = f"{MARK}rows{MARK}"
"""The place of the rows in the text of an insertion."""


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
        encode = codec_of(dialect, type).encode if pattern_of is None else dialect.pattern(pattern_of)
        if many:
            encode = _packed(self._dialect.pack(type), encode)
        if encode is not None:
            self._encoders[index] = encode
        placeholder = exp.Var(this=f"{MARK}{index}{MARK}")
        return placeholder if many or pattern_of is not None else dialect.parameter(placeholder, type)

    def compiled(self, expression: Expression, returned: Sequence[ModelField] | None) -> Compiled:
        """The text of an expression that holds those placeholders.

        :param returned: the fields that each row brings; None where it brings no rows.
        """
        positions: list[int] = []

        def placeholder(match: re.Match[str]) -> str:
            positions.append(int(match[1]))
            return self._dialect.placeholder(len(positions))

        marked = self._dialect.verbatim(expression.sql(self._dialect.grammar))
        text = MARKED.sub(placeholder, marked)
        columns = self._decoders(returned)
        bind = bind_in_order(positions, self._encoders, self._count)
        return Compiled(text, bind, row_mapper(columns) if columns else None, columns)

    def compiled_batch(
        self,
        insertion: Expression,
        row: Expression | None,
        model: Model,
        fields: Sequence[ModelField],
        returned: Sequence[ModelField] | None,
        constants: int,
    ) -> Compiled:
        """The pieces of an insertion of many rows.

        :param insertion: the statement, with :data:`ROWS` in the place of the rows.
        :param row: one of them; None where rows have no values.
        :param constants: how many of the last values are the same for each.
        """
        places = count(1)

        def placeholder(match: re.Match[str]) -> str:
            return self._dialect.placeholder(next(places))

        grammar = self._dialect.grammar
        verbatim = self._dialect.verbatim
        head, _, tail = verbatim(insertion.sql(grammar)).partition(ROWS)
        text = "" if row is None else MARKED.sub(placeholder, verbatim(row.sql(grammar)))
        returning = returned is not None
        batch = BatchInsert(head, text, tail, returning, model.table, tuple(fields), schema=model.schema)
        columns = self._decoders(returned)
        encoders = [self._encoders.get(index) for index in range(self._count)]
        bind = row_binder(encoders, constants)
        mapper = row_mapper(columns) if columns else None
        return Compiled(f"{head}{text}{tail}", None, mapper, columns, batch, bind)

    def _decoders(self, returned: Sequence[ModelField] | None) -> tuple[tuple[str, Convert | None], ...]:
        return tuple((field.name, codec_of(self._dialect, field.type).decode) for field in returned or ())

    def compiled_in_pieces(
        self, expression: Expression, row: Expression, model: Model, fields: Sequence[ModelField]
    ) -> Compiled:
        """The text of an UPDATE from a list of rows.

        :param expression: the statement, with :data:`ROWS` in the place of the rows.
        :param row: one of them, whose values were asked for first.
        :param fields: what its values are compared with or stored in.
        """
        grammar, width = self._dialect.grammar, len(fields)
        verbatim = self._dialect.verbatim
        head, _, tail = verbatim(expression.sql(grammar)).partition(ROWS)
        shared = [int(index) - width for index in MARKED.findall(head + tail)]
        places = count(1)

        def placeholder(match: re.Match[str]) -> str:
            return self._dialect.placeholder(next(places))

        pieces = [MARKED.sub(placeholder, piece) for piece in (head, tail, verbatim(row.sql(grammar)))]
        before = len(MARKED.findall(head))
        update = BatchUpdate(
            pieces[0], pieces[2], pieces[1], before, model.table, tuple(fields), model.schema
        )
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
