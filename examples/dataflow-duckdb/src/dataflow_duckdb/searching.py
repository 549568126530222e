"""How DuckDB looks for patterns and into JSON: parts of statements, as trees of sqlglot."""

from collections.abc import Sequence
from string import ascii_lowercase, ascii_uppercase

from dataflow.abc import Convert
from dataflow.types import Kind
from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow_duckdb.expressions import sql
from dataflow_duckdb.names import quoted_text
from dataflow_duckdb.regex import rendered

__all__ = ["json_contains", "json_type", "json_value", "matches", "pattern"]

TYPES = {"VARCHAR": "string", "BOOLEAN": "boolean", "ARRAY": "array", "OBJECT": "object", "NULL": "null"}
WHOLE = "('BIGINT', 'UBIGINT')"
NUMBERS = "('BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')"
FOLD = str.maketrans(ascii_uppercase, ascii_lowercase)


def matches(operator: str, operand: Expression, pattern: Expression) -> Expression:
    """The operand matches a pattern. DuckDB's own ILIKE knows the capitals of all languages, and ours just ASCII's."""
    subject, wanted = sql(operand), sql(pattern)
    if operator == "$regex":
        return exp.Var(this=f"regexp_matches({subject}, {wanted})")
    if operator == "$ilike":
        subject = f"translate({subject}, '{ascii_uppercase}', '{ascii_lowercase}')"
    return exp.Var(this=f"{subject} LIKE {wanted} ESCAPE '\\'")


def pattern(operator: str) -> Convert | None:
    """Turns a pattern into the one that :func:`matches` takes, where it is another one."""
    known: dict[str, Convert] = {"$ilike": lambda text: text.translate(FOLD), "$regex": rendered}
    return known.get(operator)


def json_type(document: Expression, path: Sequence[str]) -> Expression:
    """The type of what stands at a path, null where there is nothing."""
    found = f"json_type({sql(document)}, {_pointer(path)})"
    known = " ".join(f"WHEN '{name}' THEN '{ours}'" for name, ours in TYPES.items())
    return exp.Var(this=f"CASE WHEN {found} IN {NUMBERS} THEN 'number' ELSE CASE {found} {known} END END")


def json_value(document: Expression, path: Sequence[str], kind: Kind) -> Expression:
    """The value at a path, null where it is of another type."""
    found = f"json_extract({sql(document)}, {_pointer(path)})"
    if kind is Kind.TEXT:
        return exp.Var(this=f"CASE WHEN json_type({found}) = 'VARCHAR' THEN {_text(found)} END")
    if kind is Kind.BOOLEAN:
        return exp.Var(this=f"CASE WHEN json_type({found}) = 'BOOLEAN' THEN CAST({found} AS BOOLEAN) END")
    return exp.Var(this=f"CASE WHEN json_type({found}) IN {NUMBERS} THEN {_number(found)} END")


def json_contains(document: Expression, path: Sequence[str], member: Expression) -> Expression:
    """The list at a path has the member, or the dict has the key."""
    found, wanted = f"json_extract({sql(document)}, {_pointer(path)})", f"CAST({sql(member)} AS JSON)"
    members = f"list_transform(TRY_CAST({found} AS JSON[]), lambda each: {_comparable('each')})"
    has_member = f"list_contains({members}, {_comparable(wanted)})"
    is_text = f"json_type({wanted}) = 'VARCHAR'"
    has_key = f"({is_text} AND list_contains(json_keys({found}), {_text(wanted)}))"
    return exp.Var(
        this=f"CASE json_type({found}) WHEN 'ARRAY' THEN {has_member} WHEN 'OBJECT' THEN {has_key} END"
    )


def _pointer(path: Sequence[str]) -> str:
    """A JSON Pointer, whose steps of digits are indexes of lists and keys of dicts."""
    return quoted_text("".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path))


def _text(document: str) -> str:
    return f"json_extract_string({document}, '$')"


def _number(document: str) -> str:
    """A number as :data:`dataflow_duckdb.types.NUMBER` is, so that long integers are compared exactly."""
    near = f"(CAST({document} AS DOUBLE) + 0)"
    rest = f"CAST({document} AS HUGEINT) - CAST({near} AS HUGEINT)"
    return f"struct_pack(near := {near}, rest := CASE WHEN json_type({document}) IN {WHOLE} THEN {rest} ELSE 0 END)"


def _comparable(scalar: str) -> str:
    """A text that is the same for scalars in JSON that are equal, whichever way they are written."""
    return (
        f"CASE WHEN json_type({scalar}) = 'VARCHAR' THEN 's' || {_text(scalar)} "
        f"WHEN json_type({scalar}) IN {NUMBERS} THEN 'n' || CAST({_number(scalar)} AS VARCHAR) "
        f"ELSE COALESCE(json_type({scalar}), 'NULL') || CASE WHEN json_type({scalar}) = 'BOOLEAN' THEN {_text(scalar)} ELSE '' END END"
    )
