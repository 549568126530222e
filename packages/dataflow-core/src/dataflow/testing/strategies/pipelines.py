"""Generated aggregation pipelines that fit a table."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

__all__ = ["pipelines"]

Stage: TypeAlias = dict[str, Any]

NUMBERS = (int, float, Decimal, timedelta)
NAMES = ("a", "B", "b", "total", "größe", "select", "c0")


class Field(NamedTuple):
    """What is known of a field; one that is inexact may differ in its last digits, and so decides nothing."""

    type: type
    exact: bool = True


Fields: TypeAlias = dict[str, Field]


@st.composite
def pipelines(
    draw: st.DrawFn,
    fields: Mapping[str, type],
    values: Mapping[type, SearchStrategy[Any]],
    max_stages: int = 6,
) -> list[Stage]:
    """A pipeline of a few stages.

    :param fields: the fields of the table that may be used, with the types of their values.
    :param values: for each of these types, values to compare with.
    """
    known = {name: Field(type) for name, type in fields.items()}
    stages = []
    for make in draw(st.lists(st.sampled_from(MAKERS), max_size=max_stages)):
        stage = make(draw, known, values)
        if stage is not None:
            stages.append(stage)
            known = _after(stage, known)
    return stages


def _match(draw: st.DrawFn, known: Fields, values: Mapping[type, SearchStrategy[Any]]) -> Stage | None:
    usable = sorted(name for name, field in known.items() if field.exact)
    if not usable:
        return None
    names = draw(st.lists(st.sampled_from(usable), min_size=1, max_size=2, unique=True))
    parts = [{name: draw(_conditions(values[known[name].type]))} for name in names]
    joined = {name: condition for part in parts for name, condition in part.items()}
    return {"$match": draw(st.sampled_from([joined, {"$or": parts}, {"$and": parts}]))}


def _conditions(value: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.one_of(
        value,
        st.none(),
        st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), value, min_size=1, max_size=2),
        st.dictionaries(st.just("$ne"), value | st.none(), min_size=1),
        st.dictionaries(
            st.sampled_from(["$in", "$nin"]), st.lists(value | st.none(), max_size=3), min_size=1
        ),
    )


def _group(draw: st.DrawFn, known: Fields, values: Mapping[type, SearchStrategy[Any]]) -> Stage:
    exact = sorted(f"${name}" for name in known if known[name].exact)
    key: Any = None
    if exact:
        references = st.sampled_from(exact)
        several = st.dictionaries(st.sampled_from(NAMES), references, min_size=1, max_size=3)
        key = draw(st.one_of(references, several, st.none()))
    names = draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True))
    return {"$group": {"_id": key, **{name: _accumulator(draw, known) for name in names}}}


def _accumulator(draw: st.DrawFn, known: Fields) -> Stage:
    numbers = sorted(f"${name}" for name, field in known.items() if field.type in NUMBERS)
    operator = draw(st.sampled_from(["$sum", "$avg", "$min", "$max", "$count"]))
    if operator in ("$min", "$max"):
        return {operator: draw(st.sampled_from(sorted(f"${name}" for name in known)))}
    if operator == "$count" or not numbers:
        return {"$count": {}}
    if operator == "$sum" and draw(st.booleans()):
        return {"$sum": draw(st.sampled_from([0, 1, -3, 0.5, Decimal("0.1")]))}
    return {operator: draw(st.sampled_from(numbers))}


def _sort(draw: st.DrawFn, known: Fields, values: Mapping[type, SearchStrategy[Any]]) -> Stage | None:
    usable = sorted(name for name, field in known.items() if field.exact)
    if not usable:
        return None
    names = draw(st.lists(st.sampled_from(usable), min_size=1, max_size=3, unique=True))
    return {"$sort": {name: draw(st.sampled_from([1, -1])) for name in names}}


def _skip(draw: st.DrawFn, known: Fields, values: Mapping[type, SearchStrategy[Any]]) -> Stage:
    return {"$skip": draw(st.integers(0, 3))}


def _limit(draw: st.DrawFn, known: Fields, values: Mapping[type, SearchStrategy[Any]]) -> Stage:
    return {"$limit": draw(st.integers(1, 6))}


def _count(draw: st.DrawFn, known: Fields, values: Mapping[type, SearchStrategy[Any]]) -> Stage:
    return {"$count": draw(st.sampled_from(NAMES))}


def _project(draw: st.DrawFn, known: Fields, values: Mapping[type, SearchStrategy[Any]]) -> Stage | None:
    plain = sorted({name.partition(".")[0] for name in known})
    some = draw(st.lists(st.sampled_from(plain), min_size=1, max_size=3, unique=True))
    if draw(st.booleans()):
        return {"$project": dict.fromkeys(some, 0)} if len(some) < len(plain) else None
    references = st.sampled_from(sorted(f"${name}" for name in known))
    renamed = draw(st.dictionaries(st.sampled_from(NAMES), references, max_size=2))
    shown: dict[str, Any] = {**dict.fromkeys(some, 1), **renamed}
    if "_id" in plain and "_id" not in some and draw(st.booleans()):
        shown["_id"] = 0
    return {"$project": shown}


MAKERS: list[Callable[[st.DrawFn, Fields, Mapping[type, SearchStrategy[Any]]], Stage | None]] = [
    _match,
    _group,
    _sort,
    _skip,
    _limit,
    _count,
    _project,
]


def _after(stage: Stage, known: Fields) -> Fields:
    """The fields that come out of a stage."""
    ((name, specification),) = stage.items()
    if name == "$count":
        return {specification: Field(int)}
    if name == "$group":
        return {
            **_key_fields(specification["_id"], known),
            **{one: _result(how, known) for one, how in specification.items() if one != "_id"},
        }
    if name == "$project":
        return _projected(specification, known)
    return known


def _key_fields(key: Any, known: Fields) -> Fields:
    if key is None:
        return {"_id": Field(str)}
    if isinstance(key, Mapping):
        return {f"_id.{part}": known[reference[1:]] for part, reference in key.items()}
    return {"_id": known[key[1:]]}


def _result(accumulator: Stage, known: Fields) -> Field:
    ((operator, operand),) = accumulator.items()
    if operator == "$count":
        return Field(int)
    source = known[operand[1:]] if isinstance(operand, str) else Field(type(operand))
    if operator == "$avg" and source.type in (int, float):
        return Field(float, exact=False)
    return source


def _projected(specification: Mapping[str, Any], known: Fields) -> Fields:
    if not any(specification.values()):
        return {path: field for path, field in known.items() if path.partition(".")[0] not in specification}
    shown = {}
    if "_id" not in specification:
        shown = {path: field for path, field in known.items() if path.partition(".")[0] == "_id"}
    for name, wanted in specification.items():
        if isinstance(wanted, str):
            shown[name] = known[wanted[1:]]
        elif wanted:
            shown.update({path: field for path, field in known.items() if path.partition(".")[0] == name})
    return shown
