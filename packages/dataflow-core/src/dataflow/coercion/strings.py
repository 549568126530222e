"""Coercion to text and bytes, within a length."""

from sys import maxsize
from typing import cast

from dataflow.coercion.refusals import Coercer, attempt, is_a, or_none, refusal
from dataflow.errors import InvalidValue
from dataflow.types import ColumnType, is_storable_text

__all__ = ["binary_coercer", "text_coercer", "to_text"]


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


def text_coercer(column: ColumnType, nullable: bool, where: str) -> Coercer:
    limit = maxsize if column.max_length is None else column.max_length

    def convert(value: object, where: str) -> str:
        text = to_text(value, where)
        if len(text) > limit:
            raise InvalidValue(f"{where}: the str has {len(text)} characters, {limit} are allowed")
        return text

    other = or_none(convert, nullable, where)

    # The inner test is spelt out for the usual text, as a call would double the price.
    def coerce(value: object) -> object:
        if type(value) is str and ((value.isascii() and "\0" not in value) or is_storable_text(value)):
            return value
        return other(value)

    def coerce_limited(value: object) -> object:
        return other(value) if type(value) is str and len(value) > limit else coerce(value)

    return coerce if column.max_length is None else coerce_limited


def binary_coercer(column: ColumnType, nullable: bool, where: str) -> Coercer:
    limit = maxsize if column.max_length is None else column.max_length

    def convert(value: object, where: str) -> bytes:
        content = attempt(bytes, value) if is_a(value, bytes, bytearray, memoryview) else None
        if content is None:
            raise refusal(where, "bytes", value)
        if len(content) > limit:
            raise InvalidValue(f"{where}: there are {len(content)} bytes, {limit} are allowed")
        return content

    other = or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is bytes and len(value) <= limit else other(value)

    return coerce
