"""Statements on many rows, for a dialect to run in the way that is the fastest for so many."""

from typing import NamedTuple

from dataflow.model.schema import ModelField


class BatchInsert(NamedTuple):
    """A compiled insert of many rows, for a dialect to run in the way that is the fastest for so many.

    As one statement it is ``head``, then ``row`` as often as there are rows, with commas between, and ``tail``.

    :param head: up to the list ``VALUES``; the whole statement where rows have no values.
    :param row: one row of that list, with its parentheses.
    :param tail: what follows it: what becomes of rows that are there already, and which columns come back.
    :param returning: whether columns come back.
    :param table: the table.
    :param fields: for each value of a row, what it is stored in.
    :param match: of an upsert, the fields in which a row is the same as one that is there.
    :param changed: of an upsert, the fields whose values such a row takes.
    :param counted: of an upsert, the fields that are one more in such a row.
    :param schema: where the table is, if that has to be said.
    """

    head: str
    row: str
    tail: str
    returning: bool
    table: str
    fields: tuple[ModelField, ...]
    match: tuple[ModelField, ...] = ()
    schema: str = ""
    changed: tuple[ModelField, ...] = ()
    counted: tuple[ModelField, ...] = ()

    @property
    def width(self) -> int:
        """How many values a row has."""
        return len(self.fields)


class BatchUpdate(NamedTuple):
    """A compiled :class:`~dataflow.statements.UpdateMany`: the text before, for and after the rows of a batch.

    :param row: one row of the list ``VALUES``, with its parentheses.
    :param before: how many of the values that all rows share have their place in ``head``; the others are in ``tail``.
        Where placeholders have numbers, those of a row come after all of these.
    :param table: the table.
    :param fields: for each value of a row, the field that it is compared with or stored in.
    :param schema: where the table is, if that has to be said.
    """

    head: str
    row: str
    tail: str
    before: int
    table: str
    fields: tuple[ModelField, ...]
    schema: str = ""

    @property
    def width(self) -> int:
        """How many values a row has."""
        return len(self.fields)
