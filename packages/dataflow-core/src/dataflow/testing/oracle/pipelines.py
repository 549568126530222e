"""Aggregation pipelines as plain Python does them: documents in lists, one stage after the other."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Outcome", "evaluate"]

Document: TypeAlias = dict[str, Any]


class Outcome(NamedTuple):
    """What comes out of a pipeline.

    :param ordered: whether the order is a part of it.
    """

    documents: list[Document]
    ordered: bool


class Kept(NamedTuple):
    """A document on its way, with what tells it apart from the others."""

    key: tuple[Any, ...]
    document: Document


def evaluate(
    rows: Sequence[Mapping[str, Any]], pipeline: Sequence[Mapping[str, Any]], key: str = "id"
) -> Outcome:
    """Run a pipeline.

    :param rows: the table.
    :param pipeline: stages that DataFlow supports.
    :param key: the primary key of the table, by which rows come where only some are wanted and no order is asked for.
    """
    kept = [Kept((row[key],), dict(row)) for row in rows]
    ordered = False
    for stage in pipeline:
        ((name, specification),) = stage.items()
        if name in ("$skip", "$limit") and not ordered:
            kept = _sort(kept, {})
        kept = STAGES[name](kept, specification)
        ordered = name in ("$sort", "$skip", "$limit") or (ordered and name in ("$match", "$project"))
    return Outcome([document for _, document in kept], ordered)


def _match(kept: list[Kept], filter: Mapping[str, Any]) -> list[Kept]:
    return [one for one in kept if _matches(one.document, filter)]


def _matches(document: Document, filter: Mapping[str, Any]) -> bool:
    return all(_holds(document, name, wanted) for name, wanted in filter.items())


def _holds(document: Document, name: str, wanted: Any) -> bool:
    if name == "$and":
        return all(_matches(document, part) for part in wanted)
    if name == "$or":
        return any(_matches(document, part) for part in wanted)
    value = _at(document, name)
    if not isinstance(wanted, Mapping):
        return bool(value == wanted)
    return all(_compares(value, operator, operand) for operator, operand in wanted.items())


def _compares(value: Any, operator: str, operand: Any) -> bool:
    match operator:
        case "$ne":
            return bool(value != operand)
        case "$in":
            return value in operand
        case "$nin":
            return value not in operand
    if value is None:
        return False
    match operator:
        case "$gt":
            return bool(value > operand)
        case "$gte":
            return bool(value >= operand)
        case "$lt":
            return bool(value < operand)
        case "$lte":
            return bool(value <= operand)
    raise NotImplementedError(operator)


def _group(kept: list[Kept], specification: Mapping[str, Any]) -> list[Kept]:
    by = specification["_id"]
    groups: dict[tuple[Any, ...], list[Document]] = {}
    for _, document in kept:
        groups.setdefault(_key_of(document, by), []).append(document)
    return [
        Kept(key, {"_id": _id_of(key, by), **_accumulated(documents, specification)})
        for key, documents in groups.items()
    ]


def _key_of(document: Document, by: Any) -> tuple[Any, ...]:
    if by is None:
        return ()
    references = by.values() if isinstance(by, Mapping) else [by]
    return tuple(_at(document, reference[1:]) for reference in references)


def _id_of(key: tuple[Any, ...], by: Any) -> Any:
    if by is None:
        return None
    return dict(zip(by, key, strict=True)) if isinstance(by, Mapping) else key[0]


def _accumulated(documents: list[Document], specification: Mapping[str, Any]) -> Document:
    results = {}
    for name, accumulator in specification.items():
        if name != "_id":
            ((operator, operand),) = accumulator.items()
            results[name] = ACCUMULATORS[operator](documents, operand)
    return results


def _values(documents: list[Document], operand: Any) -> list[Any]:
    if not isinstance(operand, str):
        return [operand] * len(documents)
    values = (_at(document, operand[1:]) for document in documents)
    return [value for value in values if value is not None]


def _sum(documents: list[Document], operand: Any) -> Any:
    values = _values(documents, operand)
    if not values:
        return 0
    if isinstance(values[0], Decimal):
        return _decimal(sum(map(Fraction, values), Fraction(0)))
    return sum(values[1:], values[0])


def _avg(documents: list[Document], operand: Any) -> Any:
    values = _values(documents, operand)
    if not values:
        return None
    if isinstance(values[0], Decimal):
        return _decimal(_rounded(sum(map(Fraction, values), Fraction(0)) / len(values), 20))
    if isinstance(values[0], timedelta):
        microseconds = sum(value // timedelta(microseconds=1) for value in values)
        return timedelta(microseconds=int(_rounded(Fraction(microseconds, len(values)), 0)))
    return sum(values) / len(values)


def _rounded(number: Fraction, places: int) -> Fraction:
    """Half away from zero."""
    units = abs(number) * 10**places
    whole = int(units + Fraction(1, 2))
    return Fraction(whole if number >= 0 else -whole, 10**places)


def _decimal(number: Fraction) -> Decimal:
    """The decimal of a fraction that has an end."""
    places = 0
    while (number * 10**places).denominator != 1:
        places += 1
    whole = int(number * 10**places)
    return Decimal((int(whole < 0), tuple(map(int, str(abs(whole)))), -places))


def _min(documents: list[Document], operand: Any) -> Any:
    return min(_values(documents, operand), default=None)


def _max(documents: list[Document], operand: Any) -> Any:
    return max(_values(documents, operand), default=None)


def _count(documents: list[Document], operand: Any) -> int:
    return len(documents)


def _sort(kept: list[Kept], specification: Mapping[str, int]) -> list[Kept]:
    ordered = sorted(kept, key=lambda one: tuple(map(_rank, one.key)))
    for name, direction in reversed([*specification.items()]):
        ordered.sort(key=lambda one: _rank(_at(one.document, name)), reverse=direction == -1)
    return ordered


def _rank(value: Any) -> tuple[Any, ...]:
    """Sorts as the value does; nulls are smallest, and a document sorts by its parts."""
    if isinstance(value, dict):
        return tuple(map(_rank, value.values()))
    return (0,) if value is None else (1, value)


def _skip(kept: list[Kept], number: int) -> list[Kept]:
    return kept[number:]


def _limit(kept: list[Kept], number: int) -> list[Kept]:
    return kept[:number]


def _count_stage(kept: list[Kept], name: str) -> list[Kept]:
    return [Kept((), {name: len(kept)})] if kept else []


def _project(kept: list[Kept], specification: Mapping[str, Any]) -> list[Kept]:
    return [Kept(key, _projected(document, specification)) for key, document in kept]


def _projected(document: Document, specification: Mapping[str, Any]) -> Document:
    if not any(specification.values()):
        return {name: value for name, value in document.items() if name not in specification}
    shown = {} if "_id" in specification or "_id" not in document else {"_id": document["_id"]}
    for name, wanted in specification.items():
        if wanted:
            shown[name] = _at(document, wanted[1:] if isinstance(wanted, str) else name)
    return shown


def _at(document: Document, path: str) -> Any:
    """What a dotted path leads to."""
    value: Any = document
    for name in path.split("."):
        value = value[name]
    return value


ACCUMULATORS: Mapping[str, Callable[[list[Document], Any], Any]] = {
    "$sum": _sum,
    "$avg": _avg,
    "$min": _min,
    "$max": _max,
    "$count": _count,
}
STAGES: Mapping[str, Callable[[list[Kept], Any], list[Kept]]] = {
    "$match": _match,
    "$group": _group,
    "$sort": _sort,
    "$skip": _skip,
    "$limit": _limit,
    "$count": _count_stage,
    "$project": _project,
}
