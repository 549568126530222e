"""Coercion to text and bytes, within a length."""

from sys import maxsize
from typing import cast

from dataflow.coercion.refusals import attempt, is_a, refusal
from dataflow.coercion.rules import Rule, Shortcut
from dataflow.errors import InvalidValue
from dataflow.types import ColumnType, is_storable_text

__all__ = ["binary_rule", "text_rule", "to_scalar", "to_text"]


def to_text(value: object, where: str) -> str:
    """Give a plain str that every database can store, or refuse."""
    if not is_a(value, str):
        raise refusal(where, "str", value)
    text = str.__str__(cast("str", value))  # str() of a str Enum may be its name
    if "\0" in text:
        raise InvalidValue(f"{where}: the str holds a NUL character, which databases cannot store")
    if not is_storable_text(text):
        raise InvalidValue(f"{where}: the str holds a lone surrogate, which is not valid Unicode")
    return text


def to_scalar(value: object, where: str) -> object:
    """Give what a column without a type can hold, or refuse."""
    if is_a(value, str):
        return to_text(value, where)
    if type(value) in (int, float, bytes):
        return value
    raise refusal(where, "str, int, float or bytes", value)


def text_rule(column: ColumnType) -> Rule:
    if column.python is object:
        return Rule(Shortcut("False"), to_scalar)
    limit = maxsize if column.max_length is None else column.max_length

    def convert(value: object, where: str) -> str:
        text = to_text(value, where)
        if len(text) > limit:
            raise InvalidValue(f"{where}: the str has {len(text)} characters, {limit} are allowed")
        return text

    short = "" if column.max_length is None else "len({value}) <= {limit} and "
    # The test of the usual text is spelt out, as a call would double the price.
    storable = '(({value}.isascii() and "\\0" not in {value}) or {is_storable_text}({value}))'
    names = {"is_storable_text": is_storable_text, "limit": limit}
    return Rule(Shortcut(f"type({{value}}) is str and {short}{storable}", names), convert)


def binary_rule(column: ColumnType) -> Rule:
    limit = maxsize if column.max_length is None else column.max_length

    def convert(value: object, where: str) -> bytes:
        content = attempt(bytes, value) if is_a(value, bytes, bytearray, memoryview) else None
        if content is None:
            raise refusal(where, "bytes", value)
        if len(content) > limit:
            raise InvalidValue(f"{where}: there are {len(content)} bytes, {limit} are allowed")
        return content

    return Rule(Shortcut("type({value}) is bytes and len({value}) <= {limit}", {"limit": limit}), convert)
