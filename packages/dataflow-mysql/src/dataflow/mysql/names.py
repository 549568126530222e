"""Names and keys as MySQL and MariaDB bound them."""

import hashlib
from collections.abc import Mapping

from dataflow.mysql.types import declared, is_long
from dataflow.types import ColumnType, Kind

__all__ = ["HIDDEN", "KEY_BYTES", "NAME_LENGTH", "PREFIX", "bounded", "bytes_of", "quoted"]

KEY_BYTES = 3072
"""How many bytes a key of an index can have, over all its columns."""

NAME_LENGTH = 64
HIDDEN = "_dataflow_"
"""How the names of columns begin that only serve an index."""

PREFIX = 191
"""How many characters of a long text its index has."""

SIZES: Mapping[Kind, int] = {Kind.DECIMAL: 30, Kind.UUID: 16, Kind.BOOLEAN: 1}


def quoted(name: str) -> str:
    """A name, so that nothing in it can be taken for anything else."""
    return "`" + name.replace("`", "``") + "`"


def bounded(name: str) -> str:
    """A name that is made of others, cut where it is too long; what was cut still tells it apart."""
    if len(name) <= NAME_LENGTH:
        return name
    digest = hashlib.sha1(name.encode()).hexdigest()[:8]
    return f"{name[: NAME_LENGTH - 9]}_{digest}"


def bytes_of(type: ColumnType) -> int:
    """How many bytes of a key a column takes."""
    if type.kind is Kind.TEXT:
        return 4 * (PREFIX if is_long(type) else int(declared(type)[8:-1]))
    if type.kind is Kind.BINARY:
        return PREFIX if is_long(type) else int(declared(type)[10:-1])
    return SIZES.get(type.kind, 8)
