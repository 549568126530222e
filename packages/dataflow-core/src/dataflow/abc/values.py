"""What travels between the core, a driver and the database."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

Row: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = list[Row]
Convert: TypeAlias = Callable[[Any], Any]


class Codec(NamedTuple):
    """How the values of a column type travel to the driver and back; None where they travel as they are.

    Neither function ever sees None: null is null on every database.

    :param certain: whether ``decode`` reads whatever the database lets into such a column. Where it may not, a row
        is changed in a transaction that waits for it, and that costs two trips to a server.
    """

    encode: Convert | None = None
    decode: Convert | None = None
    certain: bool = False


class DecodesUnless:
    """Decodes what a driver gives, but for what is as it should be already.

    One can be the ``decode`` of a :class:`Codec`. What reads many rows looks at the attribute without a call.

    :param attribute: of what the driver gives.
    :param value: that attribute's, where nothing is to be done.
    :param decode: for all others.

    >>> from datetime import UTC, datetime
    >>> decode = DecodesUnless("tzinfo", UTC, lambda stored: stored.replace(tzinfo=UTC))
    >>> decode(datetime(2025, 1, 1)) == decode(datetime(2025, 1, 1, tzinfo=UTC))
    True
    """

    __slots__ = ("attribute", "decode", "value")

    def __init__(self, attribute: str, value: object, decode: Convert) -> None:
        self.attribute = attribute
        self.value = value
        self.decode = decode

    def __call__(self, stored: Any) -> Any:
        return stored if getattr(stored, self.attribute) is self.value else self.decode(stored)


class RawResult(NamedTuple):
    """What a statement of the user's own brought: rows where it has columns, else how many rows it touched."""

    columns: tuple[str, ...]
    rows: Rows
    affected: int
