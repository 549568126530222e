"""Rows with those that they refer to, or that refer to them: one more statement for each relation."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from dataflow.errors import InvalidValue, QueryError, UnknownName, ValidationError
from dataflow.execution.database import Database
from dataflow.execution.executor import Records
from dataflow.model.relations import Relation, Relations, relations
from dataflow.model.schema import Model
from dataflow.nodes.contract import Place
from dataflow.nodes.joint_keys import with_one_of
from dataflow.statements import Order, Select

__all__ = ["Inclusion", "including"]

Key: TypeAlias = tuple[Any, ...]


class Inclusion(NamedTuple):
    """A list of rows, and what is put into each of them.

    :param relations: what to put into them, by name.
    :param unasked: the fields that are read for this only, and then left out.
    """

    select: Select
    relations: Sequence[Relation]
    unasked: Sequence[str]

    @property
    def statements(self) -> Iterator[Select]:
        """All of them, without the values that only the rows tell."""
        yield self.select
        yield from (_related(relation, []) for relation in self.relations)

    async def read(self, scope: Place, database: Database) -> Records:
        """The rows with all that belongs to them."""
        connection = await scope.connection(database)
        executor = database.executor
        records = await executor.records(connection, self.select)
        for relation in self.relations:
            keys = _keys(records, relation.fields)
            # With a null in one of its columns, a foreign key refers to nothing.
            wanted = list(dict.fromkeys(key for key in keys if None not in key))
            found = await executor.records(connection, _related(relation, wanted)) if wanted else []
            _check_sameness(relation, wanted, found)
            _put(relation, records, keys, found)
        for name in self.unasked:
            for record in records:
                del record[name]
        return records


def including(select: Select, names: Sequence[str], models: Mapping[str, Model], where: str) -> Inclusion:
    """A list of rows with the relations of these names.

    :param models: those of the database, by name.
    :param where: the parameter, for messages.
    :raises UnknownName: for what is no relation of the model.
    :raises InvalidValue: for a name that several relations could have, or a relation that is given under two names.
    """
    found = relations(select.model, models)
    chosen = []
    for name in dict.fromkeys(names):
        if name not in found.known:
            raise _unknown(name, found, where)
        chosen.append(found.known[name])
    for earlier, later in _same(chosen):
        raise InvalidValue(f"{where}: {earlier} and {later} are the same; keep one")
    if select.fields is None:
        return Inclusion(select, chosen, ())
    needed = dict.fromkeys(name for relation in chosen for name in relation.fields)
    unasked = [name for name in needed if name not in select.fields]
    return Inclusion(select._replace(fields=(*select.fields, *unasked)), chosen, unasked)


def _unknown(name: str, found: Relations, where: str) -> ValidationError:
    """The error for what is no relation; for what could mean several, with the names that tell them apart."""
    if name not in found.ambiguous:
        return UnknownName("relation", name, where, found.known)
    longer = " or ".join(map(repr, sorted(found.ambiguous[name])))
    return InvalidValue(f"{where}: {name!r} can mean several things; write {longer}")


def _same(chosen: Iterable[Relation]) -> Iterator[tuple[str, str]]:
    seen: dict[tuple[object, ...], str] = {}
    for relation in chosen:
        name = seen.setdefault(relation[1:], relation.name)
        if name != relation.name:
            yield name, relation.name


def _keys(records: Records, names: Sequence[str]) -> list[Key]:
    """The values of these fields in each row."""
    return list(zip(*([record[name] for record in records] for name in names), strict=True))


def _related(relation: Relation, keys: Sequence[Key]) -> Select:
    """All rows at the other end; of several that belong to one, those with the smaller key first."""
    order = tuple(Order(field.name) for field in relation.other.key) if relation.many else ()
    return Select(relation.other, with_one_of(relation.other_fields, keys), order)


def _check_sameness(relation: Relation, wanted: Sequence[Key], found: Records) -> None:
    """Refuse rows that the database means by a value which is not theirs, as a collation takes Ann for ann.

    :raises QueryError: as nothing here can tell to which row they belong.
    """
    for position, name in enumerate(relation.other_fields):
        values = {key[position] for key in wanted}
        if any(record[name] not in values for record in found):
            raise QueryError(
                f"{relation.name} cannot be included: the database takes values of {relation.other.name}.{name} for "
                "the same that differ, such as ann and Ann; write them alike in both tables, or list both and match "
                "them"
            )


def _put(relation: Relation, records: Records, keys: Sequence[Key], found: Records) -> None:
    """Put into each row what belongs to its key, and nothing of what was found besides."""
    name, others = relation.name, _keys(found, relation.other_fields)
    if not relation.many:
        one = dict(zip(others, found, strict=True))
        for record, key in zip(records, keys, strict=True):
            referred = one.get(key)
            # A copy, as whoever changes it in one row does not mean the others.
            record[name] = None if referred is None else referred.copy()
        return
    many: dict[Key, Records] = {}
    for other, record in zip(others, found, strict=True):
        many.setdefault(other, []).append(record)
    for record, key in zip(records, keys, strict=True):
        record[name] = [one.copy() for one in many.get(key, ())]
