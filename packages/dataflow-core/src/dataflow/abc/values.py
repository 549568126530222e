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


class RawResult(NamedTuple):
    """What a statement of the user's own brought: rows where it has columns, else how many rows it touched."""

    columns: tuple[str, ...]
    rows: Rows
    affected: int
