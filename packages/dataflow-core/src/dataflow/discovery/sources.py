"""A database as Python source: a class for each table of which one can be declared, and comments for the rest."""

from collections.abc import Iterator, Mapping
from json import dumps

from dataflow.catalog import CatalogColumn, CatalogIndex, CatalogTable
from dataflow.discovery.source_fields import Targets, field_lines, one_line, why_left_out
from dataflow.discovery.source_names import Imports, attribute_names
from dataflow.discovery.survey import Survey
from dataflow.errors import ModelError
from dataflow.model.naming import check_identifier
from dataflow.model.schema import Model
from dataflow.types import Kind

__all__ = ["python_source"]

HEAD = '''"""Models of the tables in {url}, written by `dataflow inspect`.

The database is the one that DATAFLOW_DATABASE_URL names, and nothing changes its tables. Without
`existing_schema_mode=True` those that are missing are made, of the types that DataFlow has.
"""
'''
WIDTH = 110
NO_KEYS = frozenset({Kind.JSON, Kind.FLOAT})


def python_source(found: Survey) -> str:
    """Write the models. What a model has no words for stands in comments."""
    problems = {label: _problem(found, label) for label in found.tables}
    models = {label: model for label, model in found.models.items() if not problems[label]}
    attributes = {label: _attributes(found.tables[label], model) for label, model in models.items()}
    names = {name for fields in attributes.values() for name in fields.values()}
    imports = Imports(names | {model.name for model in models.values()})
    targets = Targets(models, attributes)
    engine = imports.name("dataflow", "DataFlow")
    classes = [_class(found.tables[label], model, targets, label, imports) for label, model in models.items()]
    rest = [_left_out(label, reason) for label, reason in problems.items() if reason]
    standard = "\n".join(imports.lines())
    ours = "\n".join(imports.lines("dataflow"))
    top = [HEAD.format(url=found.url), *([f"{standard}\n"] if standard else []), f"{ours}\n"]
    top.append(f"db = {engine}(existing_schema_mode=True)")
    blocks = ["\n".join(top), *classes, *(["\n".join(rest)] if rest else [])]
    return "\n\n\n".join(blocks) + "\n"


def _problem(found: Survey, label: str) -> str:
    """Why a table has no class that declares it; empty where it has one."""
    table = found.tables[label]
    if label not in found.models:
        return found.problems[label]
    if table.kind == "view":
        return "a view; register_schema_as_models() makes a model of it"
    if "virtual" in table.traits:
        return "a virtual table; register_schema_as_models() makes a model of it"
    if "inherited" in table.traits:
        return "other tables inherit from it; register_schema_as_models() makes a model of it"
    if not table.key:
        return "without a key; register_schema_as_models() makes a model of it, whose rows are only read"
    if table.schema:
        return "in another schema; register_schema_as_models() makes a model of it"
    reasons = {column.name: _why_not(column) for column in table.columns}
    for name in table.key:
        if reasons[name] or next(one for one in table.columns if one.name == name).logical is None:
            return f"its key {name} cannot be declared; register_schema_as_models() makes a model of it"
    if all(reasons.values()):
        return "none of its columns can be declared; register_schema_as_models() makes a model of it"
    try:
        check_identifier(table.name, "the table", label)
    except ModelError as error:
        return str(error)
    return ""


def _why_not(column: CatalogColumn) -> str:
    """Why a column cannot be declared; empty where it can."""
    try:
        check_identifier(column.name, "the column", column.name)
    except ModelError as error:
        return str(error)
    return why_left_out(column)


def _attributes(table: CatalogTable, model: Model) -> Mapping[str, str]:
    """What the class calls its columns, in the order in which it has them: those of the key in that of the key."""
    reasons = {column.name: _why_not(column) for column in table.columns}
    fields = {field.column: name for name, field in model.fields.items()}
    names = attribute_names(fields.values())
    key, seen = iter(table.key), set[str]()
    attributes: dict[str, str] = {}
    for column in fields:
        name = next(key) if column in table.key else column
        if not reasons[name] and name.casefold() not in seen:
            seen.add(name.casefold())
            attributes[name] = names[fields[name]]
    return attributes


def _class(table: CatalogTable, model: Model, targets: Targets, label: str, imports: Imports) -> str:
    attributes = targets.attributes[label]
    lines = [f"# {remark}" for remark in _remarks(table, attributes)]
    lines += ["@db.model", f"class {model.name}:"]
    columns = {column.name: column for column in table.columns}
    fields = {field.column: field for field in model.fields.values()}
    for column, name in attributes.items():
        written = field_lines(table, columns[column], fields[column], name, targets, imports)
        lines += [f"    {line}" for line in written]
    lines += [f"    # {_absence(column)}" for name, column in columns.items() if name not in attributes]
    lines += ["", *(f"    {line}" for line in _options(table, attributes, imports))]
    return "\n".join(lines)


def _left_out(label: str, reason: str) -> str:
    return f"# {one_line(label)} has no class here: {one_line(reason)}."


def _absence(column: CatalogColumn) -> str:
    reason = _why_not(column) or "whose name differs from another one in capitals alone"
    return one_line(f"{column.name} {column.type}".rstrip() + f" is left out: {reason}")


def _remarks(table: CatalogTable, attributes: Mapping[str, str]) -> Iterator[str]:
    if table.comment:
        yield one_line(table.comment)
    if table.traits:
        yield f"The table is special: {', '.join(table.traits)}."
    for reference in table.foreign_keys:
        if len(reference.columns) > 1:
            parts = (", ".join(reference.columns), reference.label, ", ".join(reference.referred))
            yield one_line("Foreign key of several columns: ({}) refers to {} ({}).".format(*parts))
            yield "A class cannot say that; register_schema_as_models() makes a relation of it."
    for constraint in table.constraints:
        if constraint.kind != "unique":
            yield one_line(
                f"{constraint.kind.capitalize()} constraint {constraint.name}: {constraint.definition}"
            )
    for index in table.indexes:
        if not _is_sayable(index, attributes):
            where = f" where {index.where}" if index.where else ""
            unique = "Unique index" if index.unique else "Index"
            yield one_line(f"{unique} {index.name} over {', '.join(index.columns)}{where}.")


def _options(table: CatalogTable, attributes: Mapping[str, str], imports: Imports) -> Iterator[str]:
    indexes = [
        _index(index, attributes, imports)
        for index in table.indexes
        if _is_sayable(index, attributes) and index.columns != table.key
    ]
    yield "__dataflow__ = {"
    yield f'    "table": {dumps(table.name, ensure_ascii=False)},'
    yield '    "timestamps": False,'
    if indexes:
        together = f'    "indexes": [{", ".join(indexes)}],'
        if len(together) <= WIDTH - 4:
            yield together
        else:
            yield from ('    "indexes": [', *(f"        {index}," for index in indexes), "    ],")
    yield "}"


def _is_sayable(index: CatalogIndex, attributes: Mapping[str, str]) -> bool:
    return not index.where and all(column.removeprefix("-") in attributes for column in index.columns)


def _index(index: CatalogIndex, attributes: Mapping[str, str], imports: Imports) -> str:
    parts = []
    for column in index.columns:
        mark = "-" if column.startswith("-") else ""
        parts.append(dumps(mark + attributes[column.removeprefix("-")], ensure_ascii=False))
    if index.unique:
        parts.append("unique=True")
    # Those that SQLite names itself, it lets nobody else name.
    if not index.name.startswith("sqlite_"):
        parts.append(f"name={dumps(index.name, ensure_ascii=False)}")
    return f"{imports.name('dataflow', 'Index')}({', '.join(parts)})"
