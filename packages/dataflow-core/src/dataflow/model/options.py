"""What ``__dataflow__`` may say about a model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

from dataflow.errors import MissingPlugin, ModelError, UnknownOption
from dataflow.model.field import Index

__all__ = ["ModelOptions", "read_options"]

_TYPES: dict[str, tuple[type, ...]] = {
    "table": (str,),
    "database": (str,),
    "indexes": (list, tuple),
    "timestamps": (bool,),
    "naive_datetimes": (str,),
    "soft_delete": (bool,),
    "versioned": (bool,),
}
_PLUGINS = {"multi_tenant": "dataflow-tenancy", "tenant_isolation": "dataflow-tenancy"}
_LATER = ("audit_log",)


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """The options of a model, checked.

    :param given: all of them as they were written, with those of the bases.
    :param timestamps: whether to maintain ``created_at`` and ``updated_at``; None where nothing was said.
    """

    given: Mapping[str, object]
    table: str | None
    database: str
    indexes: tuple[Index, ...]
    timestamps: bool | None
    naive_datetimes: bool


def read_options(cls: type) -> ModelOptions:
    """Read and check ``__dataflow__``. Options are inherited, but for the table and the names of indexes.

    :raises UnknownOption: for one that does not exist.
    :raises MissingPlugin: for one whose package is not installed.
    :raises ModelError: for a value of the wrong type.
    """
    given: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        own = _own_options(base)
        for option, value in own.items():
            _check(option, value, f"{base.__name__}.__dataflow__")
        given = {option: _inherited(option, value) for option, value in given.items() if option != "table"}
        given.update(own)
    return ModelOptions(
        given=MappingProxyType(given),
        table=cast("str | None", given.get("table")),
        database=cast("str", given.get("database", "primary")),
        indexes=tuple(cast("Iterable[Index]", given.get("indexes", ()))),
        timestamps=cast("bool | None", given.get("timestamps")),
        naive_datetimes="naive_datetimes" in given,
    )


def _own_options(cls: type) -> Mapping[str, object]:
    own = vars(cls).get("__dataflow__", {})
    if not isinstance(own, Mapping):
        raise ModelError(f"{cls.__name__}.__dataflow__ must be a dict of options, not {type(own).__name__}")
    return own


def _inherited(option: str, value: object) -> object:
    if option != "indexes":
        return value
    return tuple(index.named(None) for index in cast("Iterable[Index]", value))


def _check(option: str, value: object, where: str) -> None:
    if option in _PLUGINS:
        if value:
            raise MissingPlugin(f"{where}: the option {option!r}", _PLUGINS[option])
    elif option in _LATER:
        if value:
            raise ModelError(f"{where}: the option {option!r} is not available in this version; leave it out")
    elif option not in _TYPES:
        error = UnknownOption(str(option), (*_TYPES, *_PLUGINS, *_LATER))
        error.add_note(f"in {where}")
        raise error
    else:
        _check_value(option, value, where)


def _check_value(option: str, value: object, where: str) -> None:
    if not isinstance(value, _TYPES[option]):
        wanted = " or ".join(kind.__name__ for kind in _TYPES[option])
        raise ModelError(f"{where}: {option!r} must be a {wanted}, not {type(value).__name__}")
    if option == "naive_datetimes" and value != "utc":
        raise ModelError(f"{where}: 'naive_datetimes' can only be \"utc\"; without it they are refused")
    if option == "database" and not value:
        raise ModelError(f"{where}: 'database' must name one")
    if option == "indexes":
        for index in cast("Iterable[object]", value):
            if not isinstance(index, Index):
                hint = 'write Index("a", "-b", unique=True)'
                raise ModelError(f"{where}: 'indexes' holds a {type(index).__name__}; {hint}")
