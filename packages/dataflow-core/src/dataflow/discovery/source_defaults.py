"""Defaults that a database writes, as Python, where there is a way to say them."""

import re
from decimal import Decimal
from json import dumps

from dataflow.coercion import coercer
from dataflow.discovery.source_names import Imports
from dataflow.errors import InvalidValue
from dataflow.types import ColumnType, Kind

__all__ = ["default_of"]

CAST = r"::[\w ]+(\(\d+(,\s*\d+)?\))?(\[\])?$"
QUOTED = r"'((?:[^']|'')*)'"
NUMBER = r"[-+]?\d+(\.\d+)?"
NOW = r"(?i)(now|current_timestamp|localtimestamp)(\(\d*\))?"
RANDOM_UUID = r"(?i)(gen_random_uuid|uuid_generate_v4|uuid)\(\)"
TRUTH = {"true": "True", "t": "True", "1": "True", "b'1'": "True"} | {
    word: "False" for word in ("false", "f", "0", "b'0'")
}


def default_of(expression: str, type: ColumnType, imports: Imports) -> str | None:
    """What ``Field`` is to be given; None where a model has no way to say it.

    >>> default_of("'it''s'::text", ColumnType(Kind.TEXT, str), Imports(()))
    'default="it\\'s"'
    >>> default_of("(42)", ColumnType(Kind.INTEGER, int), Imports(()))
    'default=42'
    >>> default_of("lower('A')", ColumnType(Kind.TEXT, str), Imports(()))
    """
    text = re.sub(CAST, "", _bare(expression))
    if type.kind is Kind.DATETIME and re.fullmatch(NOW, text):
        return f"default_factory={imports.name('dataflow', 'utcnow')}"
    if type.kind is Kind.UUID and re.fullmatch(RANDOM_UUID, text):
        return f"default_factory={imports.name('uuid', 'uuid4')}"
    quoted = re.fullmatch(QUOTED, text, re.DOTALL)
    value = _value(quoted[1].replace("''", "'") if quoted else text, bool(quoted), type, imports)
    return None if value is None else f"default={value}"


def _bare(expression: str) -> str:
    text = expression.strip()
    while re.fullmatch(r"\([^()]*\)", text):
        text = text[1:-1].strip()
    return text


def _value(text: str, is_quoted: bool, type: ColumnType, imports: Imports) -> str | None:
    if type.kind is Kind.TEXT:
        return dumps(text, ensure_ascii=False) if is_quoted and _fits(text, type) else None
    if type.kind is Kind.BOOLEAN:
        return TRUTH.get(text.lower())
    if type.kind not in NUMBERS or not re.fullmatch(NUMBER, text):
        return None
    if type.kind is Kind.DECIMAL:
        return f'{imports.name("decimal", "Decimal")}("{text}")' if _fits(Decimal(text), type) else None
    if type.kind is Kind.FLOAT:
        return repr(float(text))
    return repr(int(text)) if "." not in text and _fits(int(text), type) else None


def _fits(value: object, type: ColumnType) -> bool:
    try:
        coercer(type, False, "the default")(value)
    except InvalidValue:
        return False
    return True


NUMBERS = frozenset({Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL})
