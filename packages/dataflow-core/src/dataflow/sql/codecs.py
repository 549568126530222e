"""How values travel: as the dialect says, save for lists of one type where it has no arrays."""

from typing import Any

from dataflow.abc import Codec, Dialect
from dataflow.capabilities import Capability
from dataflow.coercion.scalars import scalar_form
from dataflow.types import ColumnType

__all__ = ["codec_of", "with_elements"]


def codec_of(dialect: Dialect, type: ColumnType) -> Codec:
    """How values of a type travel."""
    codec = dialect.codec(type)
    return codec if Capability.ARRAYS in dialect.capabilities else with_elements(codec, type)


def with_elements(json: Codec, type: ColumnType) -> Codec:
    """The codec of a type that is stored as JSON, also where its elements are no scalars of that."""
    form = None if type.element is None else scalar_form(type.element)
    if form is None:
        return json
    write, read = form
    encode, decode = json.encode, json.decode

    def encode_list(items: list[Any]) -> object:
        plain = [write(item) for item in items]
        return plain if encode is None else encode(plain)

    def decode_list(stored: Any) -> list[object]:
        return [read(item) for item in (stored if decode is None else decode(stored))]

    return Codec(encode_list, decode_list)
