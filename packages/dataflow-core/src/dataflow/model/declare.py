"""From a class with type hints to a ``Model``."""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal, Never, get_args

from dataflow.coercion import coercer
from dataflow.errors import InvalidValue, ModelError
from dataflow.model.extension import ExtraField, extended
from dataflow.model.field import MISSING, Field, FieldOptions, ForeignKey, Index, OnDelete
from dataflow.model.hints import class_value, read_hints
from dataflow.model.indexes import resolve_indexes
from dataflow.model.naming import check_identifier, table_name
from dataflow.model.options import ModelOptions, read_options
from dataflow.model.schema import Model, ModelField
from dataflow.types import ColumnType, Kind, read_annotation, with_naive_datetimes

__all__ = ["declare"]

_MAINTAINED: dict[str, Literal["created", "updated"]] = {"created_at": "created", "updated_at": "updated"}
_NO_KEYS = (Kind.JSON, Kind.FLOAT)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A field as far as it can be read by itself; the key and the indexes need the whole model."""

    name: str
    where: str
    type: ColumnType
    nullable: bool
    options: FieldOptions
    foreign_key: ForeignKey | None = None

    @property
    def column(self) -> str:
        return self.name if self.options.column is None else self.options.column


def _nothing(model: Model) -> Iterable[ExtraField]:
    return ()


def declare(
    cls: type,
    *,
    implied: bool,
    frame_locals: Mapping[str, object] | None = None,
    extend: Callable[[Model], Iterable[ExtraField]] = _nothing,
) -> Model:
    """Read a class as a model. From then on the class cannot be instantiated.

    :param implied: whether to add ``id``, ``created_at`` and ``updated_at``; False for an existing schema.
    :param frame_locals: the names where the class stands, for quoted hints of a class within a function.
    :param extend: tells which fields its options bring; it is shown the model without its indexes.
    :raises ModelError: when it cannot become a table; the message names the field.
    :raises UnknownOption: for an option in ``__dataflow__`` that does not exist.
    :raises MissingPlugin: for an option whose package is not installed.

    >>> class OrderItem:
    ...     order_id: int
    ...     quantity: int = 1
    >>> model = declare(OrderItem, implied=True)
    >>> model.table, list(model.fields)
    ('order_items', ['id', 'order_id', 'quantity', 'created_at', 'updated_at'])
    """
    options = read_options(cls)
    timestamps = implied if options.timestamps is None else options.timestamps
    table = table_name(cls.__name__) if options.table is None else options.table
    check_identifier(table, 'the table (__dataflow__ = {"table": ...})', cls.__name__)
    drafts = _read_drafts(cls, options, frame_locals)
    if implied:
        drafts = _with_key(drafts, cls.__name__)
    if timestamps:
        drafts = _with_timestamps(drafts, cls.__name__, options)
    _check_columns(drafts, cls.__name__)
    key = _key_names(drafts)
    fields = {draft.name: _build(draft, key, timestamps) for draft in drafts}
    model = Model(
        name=cls.__name__,
        table=table,
        fields=MappingProxyType(fields),
        key=tuple(fields[name] for name in key),
        indexes=(),
        options=options.given,
        database=options.database,
        origin=(cls.__module__, cls.__qualname__),
        cls=cls,
    )
    model = extended(model, extend(model))
    indexes = resolve_indexes(cls.__name__, table, options.indexes, model.fields)
    _forbid_instances(cls)
    return replace(model, indexes=indexes)


def _read_drafts(cls: type, options: ModelOptions, frame_locals: Mapping[str, object] | None) -> list[_Draft]:
    hints = read_hints(cls, frame_locals)
    hints.pop("__dataflow__", None)
    for base in cls.__mro__:
        for name, value in vars(base).items():
            if isinstance(value, FieldOptions) and name not in hints:
                raise ModelError(f"{cls.__name__}.{name} has no type; write {name}: str = Field(...)")
    if not hints:
        raise ModelError(f"{cls.__name__} has no fields; write at least one, as in name: str")
    return [_read_draft(cls, name, hint, options) for name, hint in hints.items()]


def _read_draft(cls: type, name: str, hint: object, options: ModelOptions) -> _Draft:
    where = f"{cls.__name__}.{name}"
    if name.startswith("__") and name.endswith("__"):
        raise ModelError(f"{where}: names with two underscores on both sides belong to Python; use another")
    column, nullable, metadata = read_annotation(hint, where)
    said, foreign_key = _read_metadata(metadata, where)
    value = class_value(cls, name)
    if isinstance(value, ForeignKey | Index):
        kind = type(value).__name__
        raise ModelError(f"{where}: {kind} is no default; write {name}: Annotated[int, ForeignKey(...)]")
    given = value if isinstance(value, FieldOptions) else FieldOptions(default=value)
    said = said.merged(given, where)
    column = with_naive_datetimes(column, options.naive_datetimes)
    column = replace(column, max_length=_max_length(said, column, where))
    if foreign_key is not None:
        _check_foreign_key(foreign_key, nullable, where)
    return _Draft(name, where, column, nullable, said, foreign_key)


def _read_metadata(metadata: Iterable[object], where: str) -> tuple[FieldOptions, ForeignKey | None]:
    said, foreign_key = FieldOptions(), None
    for item in metadata:
        if isinstance(item, FieldOptions):
            said = said.merged(item, where)
        elif isinstance(item, ForeignKey):
            if foreign_key is not None:
                raise ModelError(f"{where} has two foreign keys; keep one")
            foreign_key = item
        elif item in (Field, ForeignKey, Index) or isinstance(item, Index):
            raise ModelError(f"{where}: within Annotated only Field(...) and ForeignKey(...) mean something")
    return said, foreign_key


def _max_length(said: FieldOptions, column: ColumnType, where: str) -> int | None:
    limit = said.max_length
    if limit is None:
        return None
    if column.kind not in (Kind.TEXT, Kind.BINARY) or column.choices:
        raise ModelError(f"{where}: max_length is for str and bytes")
    if type(limit) is not int or limit < 1:
        raise ModelError(f"{where}: max_length must be an int, 1 or more")
    return limit


def _check_foreign_key(foreign_key: ForeignKey, nullable: bool, where: str) -> None:
    if not _is_target(foreign_key.target):
        raise ModelError(f'{where}: a ForeignKey names a model or its field: "Customer" or "Customer.email"')
    if foreign_key.on_delete not in get_args(OnDelete):
        raise ModelError(f"{where}: on_delete must be one of {', '.join(get_args(OnDelete))}")
    if foreign_key.on_delete == "set_null" and not nullable:
        raise ModelError(f'{where}: on_delete="set_null" needs a field that may be null; write `| None`')


def _is_target(target: object) -> bool:
    return isinstance(target, str) and all(target.split(".")) and target.count(".") <= 1


def _with_key(drafts: list[_Draft], model: str) -> list[_Draft]:
    """Add the key before the declared fields, where none of them is it."""
    if _key_names(drafts):
        return drafts
    if any(draft.name == "id" for draft in drafts):
        raise ModelError(f"{model}.id is not the key, so it needs another: Field(primary_key=True)")
    return [_Draft("id", f"{model}.id", ColumnType(Kind.INTEGER, int), False, FieldOptions()), *drafts]


def _with_timestamps(drafts: list[_Draft], model: str, options: ModelOptions) -> list[_Draft]:
    """Add the timestamps after the declared fields, where they are not among these."""
    moment = ColumnType(Kind.DATETIME, datetime, naive_datetimes=options.naive_datetimes)
    missing = [name for name in _MAINTAINED if all(draft.name != name for draft in drafts)]
    return [*drafts, *(_Draft(name, f"{model}.{name}", moment, False, FieldOptions()) for name in missing)]


def _key_names(drafts: Iterable[_Draft]) -> tuple[str, ...]:
    """Name the fields of the key: those that say so, else ``id``, unless that says no."""
    said = {draft.name: draft.options.primary_key for draft in drafts}
    key = tuple(name for name, is_key in said.items() if is_key)
    return key or (("id",) if said.get("id", False) is None else ())


def _check_columns(drafts: Iterable[_Draft], model: str) -> None:
    taken: dict[str, str] = {}
    for draft in drafts:
        check_identifier(draft.column, "the name of the column", draft.where)
        other = taken.setdefault(draft.column.casefold(), draft.name)
        if other != draft.name:
            raise ModelError(f"{model}: {other} and {draft.name} have one column; case makes no difference")


def _build(draft: _Draft, key: tuple[str, ...], timestamps: bool) -> ModelField:
    options, column = draft.options, draft.type
    default, factory = _defaults(draft)
    primary, sole = draft.name in key, key == (draft.name,)
    if primary:
        _check_key(draft, sole and default is not MISSING)
    is_maintained = timestamps and column.kind is Kind.DATETIME and not primary
    return ModelField(
        name=draft.name,
        column=draft.column,
        type=column,
        nullable=draft.nullable,
        default=default,
        default_factory=factory,
        primary_key=primary,
        generated=sole and factory is None and draft.foreign_key is None and _is_plain_integer(column),
        index=options.index and not sole,
        unique=options.unique and not sole,
        foreign_key=draft.foreign_key,
        maintained=_MAINTAINED.get(draft.name) if is_maintained else None,
        coerce=coercer(column, draft.nullable, draft.where),
    )


def _is_plain_integer(column: ColumnType) -> bool:
    return column.kind is Kind.INTEGER and not column.choices


def _check_key(draft: _Draft, constant: bool) -> None:
    if draft.nullable:
        raise ModelError(f"{draft.where}: a key is never null; write it without `| None`")
    if draft.type.kind in _NO_KEYS:
        raise ModelError(f"{draft.where}: a {draft.type.python.__name__} is no key; use int, str or UUID")
    if constant:
        raise ModelError(f"{draft.where}: with a default all rows had the same key; use default_factory")


def _defaults(draft: _Draft) -> tuple[object, Callable[[], object] | None]:
    """Give the static default, coerced, and the factory; a mutable default is copied for each row."""
    default, factory = draft.options.default, draft.options.default_factory
    if factory is not None and default is not MISSING:
        raise ModelError(f"{draft.where} has a default and a default_factory; keep one")
    if factory is not None and not callable(factory):
        raise ModelError(f"{draft.where}: default_factory must be callable, such as list or utcnow")
    if default is MISSING:
        return MISSING, factory
    if default is None and not draft.nullable:
        raise ModelError(f"{draft.where}: the default is None, so the type must allow it; write `| None`")
    try:
        coerced = coercer(draft.type, draft.nullable, f"{draft.where}: the default")(default)
    except InvalidValue as error:
        raise ModelError(str(error)) from None
    if not isinstance(coerced, dict | list):
        return coerced, None
    own = deepcopy(coerced)
    return own, lambda: deepcopy(own)


def _forbid_instances(cls: type) -> None:
    node = f"{cls.__name__}CreateNode"

    def refuse(_cls: type, *_args: object, **_kwargs: object) -> Never:
        raise TypeError(
            f"{cls.__name__} is a schema, not an object: to store a row use the node {node}, "
            f'as in workflow.add_node("{node}", "create", {{...}})'
        )

    type.__setattr__(cls, "__new__", staticmethod(refuse))
