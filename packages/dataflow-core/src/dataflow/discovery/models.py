"""Models of tables that are there."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Never

from dataflow.catalog import CatalogColumn, CatalogReference, CatalogTable
from dataflow.coercion import coercer
from dataflow.discovery.names import field_names
from dataflow.errors import ModelError
from dataflow.model.field import ForeignKey, Index, OnDelete
from dataflow.model.schema import JointKey, Model, ModelField
from dataflow.types import ColumnType, Kind, unbounded

__all__ = ["Place", "model_of"]

TEXT = ColumnType(Kind.TEXT, str)
ON_DELETE: Mapping[str, OnDelete] = {
    "CASCADE": "cascade",
    "SET NULL": "set_null",
    "RESTRICT": "restrict",
}


class Place:
    """Where models are made: a database with its tables, and the classes of these.

    :param database: its name within the engine.
    :param url: where it is, without a password: a model of the same table in the same place is the same model.
    :param tables: every table and view, by its label.
    :param names: the class of each table, by its label.
    :param makes_keys: whether a key may be left to any default of the table, as the row comes back with it.
    """

    def __init__(
        self,
        database: str,
        url: str,
        tables: Mapping[str, CatalogTable],
        names: Mapping[str, str],
        *,
        makes_keys: bool,
    ) -> None:
        self.database = database
        self.url = url
        self.tables = tables
        self.names = names
        self.makes_keys = makes_keys
        self._labels = {(table.schema, table.name): label for label, table in tables.items()}

    def target(self, reference: CatalogReference) -> tuple[str, tuple[str, ...]] | None:
        """The model that a foreign key refers to, and the fields there; None where nobody can tell them."""
        label = self._labels.get((reference.schema, reference.table))
        if label is None or len(reference.columns) != len(reference.referred):
            return None
        fields = field_names(column.name for column in _usable(self.tables[label]).columns)
        if not fields.keys() >= set(reference.referred):
            return None
        return self.names[label], tuple(fields[column] for column in reference.referred)


def model_of(place: Place, label: str, table: CatalogTable) -> Model:
    """The model of a table, as it is.

    :raises ModelError: telling why there can be none.
    """
    name, table = place.names[label], _usable(table)
    reason = _why_none(table)
    if reason:
        raise ModelError(f"{label}: {reason}")
    names = field_names(column.name for column in table.columns)
    references = dict(_references(place, table))
    fields = {
        names[column.name]: _field(place, table, column, f"{name}.{names[column.name]}", references)
        for column in table.columns
    }
    by_column = {field.column: field for field in fields.values()}
    return Model(
        name=name,
        table=table.name,
        fields=MappingProxyType(fields),
        key=tuple(by_column[column] for column in table.key),
        indexes=tuple(_indexes(table, names)),
        options=MappingProxyType({}),
        database=place.database,
        origin=(place.url, label),
        cls=_class(name, table),
        schema=table.home or table.schema,
        existing=True,
        joint_keys=tuple(_joint_keys(place, table, names)),
    )


def _usable(table: CatalogTable) -> CatalogTable:
    """The table as far as it can be used: without what this user may not read, and a key that tells no rows apart."""
    columns = tuple(
        column
        for column in table.columns
        if not column.forbidden and not (column.hidden and "virtual" in table.traits)
    )
    tells = "inherited" not in table.traits and {column.name for column in columns}.issuperset(table.key)
    return table._replace(columns=columns, key=table.key if tells else ())


def _why_none(table: CatalogTable) -> str:
    if "unknown" in table.traits:
        return "DataFlow does not understand how it is described; the log of dataflow.discovery says where"
    if "broken" in table.traits:
        return "the database cannot read it, as something that it is made of is not there"
    if "forbidden" in table.traits:
        return "this user may not read it"
    return "" if table.columns else "it has no columns that this user may read"


def _field(
    place: Place, table: CatalogTable, column: CatalogColumn, where: str, references: Mapping[str, ForeignKey]
) -> ModelField:
    type = TEXT if column.logical is None else column.logical
    free = unbounded(type)
    is_key = column.name in table.key
    nullable = column.nullable and not is_key
    numbers = bool(column.identity) and table.key == (column.name,)
    has_default = bool(column.default is not None or column.identity)
    return ModelField(
        name=where.partition(".")[2],
        column=column.name,
        type=type,
        nullable=nullable,
        coerce=coercer(type, nullable, where),
        primary_key=is_key,
        generated=numbers,
        filled=has_default and (place.makes_keys or not is_key),
        unique=any(
            index.unique and index.columns == (column.name,) for index in table.indexes if not index.where
        ),
        foreign_key=references.get(column.name),
        read_only=_why_read_only(column),
        as_text=column.as_text if column.logical is None else None,
        takes=None if free == type else coercer(free, nullable, where),
    )


def _why_read_only(column: CatalogColumn) -> str:
    if column.generated:
        return "the database computes it"
    if column.identity == "always":
        return "the database numbers it"
    return f"its type {column.type} is read as a text only" if column.logical is None else ""


def _references(place: Place, table: CatalogTable) -> Iterable[tuple[str, ForeignKey]]:
    for reference in table.foreign_keys:
        target = place.target(reference) if len(reference.columns) == 1 else None
        if target is not None:
            model, (field,) = target
            action = ON_DELETE.get(reference.on_delete.upper(), "no_action")
            yield reference.columns[0], ForeignKey(f"{model}.{field}", on_delete=action)


def _joint_keys(place: Place, table: CatalogTable, names: Mapping[str, str]) -> Iterable[JointKey]:
    """The foreign keys of several columns, all of which the model has."""
    for reference in table.foreign_keys:
        target = place.target(reference) if len(reference.columns) > 1 else None
        if target is not None and names.keys() >= set(reference.columns):
            model, referred = target
            yield JointKey(tuple(names[column] for column in reference.columns), model, referred)


def _indexes(table: CatalogTable, names: Mapping[str, str]) -> Iterable[Index]:
    """Those that a model can name: over columns, of all rows."""
    for index in table.indexes:
        parts = [(part.removeprefix("-"), part.startswith("-")) for part in index.columns]
        is_key = tuple(column for column, _ in parts) == table.key
        if not index.where and not is_key and all(column in names for column, _ in parts):
            fields = (f"{'-' if descends else ''}{names[column]}" for column, descends in parts)
            yield Index(*fields, unique=index.unique, name=index.name)


def _class(name: str, table: CatalogTable) -> type:
    """A class that stands for the table, as the class of a declared model does."""

    def refuse(_cls: type, *_args: object, **_kwargs: object) -> Never:
        raise TypeError(f"{name} is a schema, not an object: its nodes store and find rows")

    doc = f"The {table.kind} {table.label}, as it is."
    return type(name, (), {"__doc__": doc, "__module__": __name__, "__new__": staticmethod(refuse)})
