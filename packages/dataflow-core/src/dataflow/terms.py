"""What a transaction is asked for: how far it is isolated, whether it may write, how long it may take."""

from enum import Enum
from typing import NamedTuple

from dataflow.errors import InvalidValue, nearest

__all__ = ["MOST_SECONDS", "USUAL", "Isolation", "Terms", "read_terms"]

MOST_SECONDS = 86_400.0


class Isolation(Enum):
    """What concurrent transactions cannot do to this one: a guarantee, whatever the database calls it."""

    READ_COMMITTED = "READ_COMMITTED"
    """It reads nothing that was not committed."""

    REPEATABLE_READ = "REPEATABLE_READ"
    """Nor does what it has read change, and no change that it makes overwrites one that it has not seen."""

    SERIALIZABLE = "SERIALIZABLE"
    """It is as if all transactions had run one after the other."""


class Terms(NamedTuple):
    """The terms on which a transaction runs.

    :param isolation: what is guaranteed; None for what the database does by itself, which is READ_COMMITTED at least.
    :param read_only: whether nothing in it may write.
    :param timeout: how many seconds it may take, from its begin to its end.
    """

    isolation: Isolation | None = None
    read_only: bool = False
    timeout: float | None = None


USUAL = Terms()

# Weaker than any database needs to be; who asks for it gets more.
OTHER_NAMES = {"READ_UNCOMMITTED": Isolation.READ_COMMITTED, "SNAPSHOT": Isolation.REPEATABLE_READ}


def read_terms(isolation_level: object, read_only: object, timeout: object) -> Terms:
    """Check what users say of a transaction; None where they say nothing.

    :raises InvalidValue: naming what makes no sense.
    """
    if read_only is not None and not isinstance(read_only, bool):
        raise InvalidValue("read_only: expected True or False")
    if isolation_level is None and not read_only and timeout is None:
        return USUAL
    return Terms(
        None if isolation_level is None else _isolation(isolation_level),
        read_only or False,
        None if timeout is None else _seconds(timeout),
    )


def _isolation(name: object) -> Isolation:
    if isinstance(name, Isolation):
        return name
    levels = {level.value: level for level in Isolation} | OTHER_NAMES
    spelt = name.strip().upper().replace(" ", "_").replace("-", "_") if isinstance(name, str) else ""
    if spelt not in levels:
        hint = nearest(spelt, levels) or f"; it is one of {', '.join(level.value for level in Isolation)}"
        raise InvalidValue(f"isolation_level: there is no such level{hint}")
    return levels[spelt]


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MOST_SECONDS:
        return float(value)
    raise InvalidValue(f"timeout: expected a number of seconds, at most {MOST_SECONDS:g}")
