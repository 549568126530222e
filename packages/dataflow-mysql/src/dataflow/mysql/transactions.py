"""How transactions begin, and what must be put back after them."""

from collections.abc import Mapping
from math import ceil

from dataflow.mysql.flavors import MARIADB, Flavor
from dataflow.terms import USUAL, Isolation, Terms

__all__ = ["begin_branch", "begin_on", "restore_limits"]

LATER = 1.0  # seconds that the server leaves to whoever looks at the clock here, if somebody does

# The server's own REPEATABLE READ lets one transaction overwrite what another has changed since it read it. What it
# calls SERIALIZABLE locks what it reads, and so keeps the promise.
# Its READ COMMITTED locks no gaps between rows, so that an upsert without a unique key could not keep others from
# storing the same row.
LEVELS: Mapping[Isolation, str] = {
    Isolation.READ_COMMITTED: "REPEATABLE READ",
    Isolation.REPEATABLE_READ: "SERIALIZABLE",
    Isolation.SERIALIZABLE: "SERIALIZABLE",
}


def begin_on(flavor: Flavor, terms: Terms, *, writes: bool) -> str:
    """Begin, in one round trip.

    >>> begin_on(MARIADB, Terms(Isolation.SERIALIZABLE), writes=True)
    'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION'
    """
    begin = "START TRANSACTION" if writes and not terms.read_only else "START TRANSACTION READ ONLY"
    return begin if terms is USUAL else _on_terms(flavor, terms, begin, writes=writes)


def begin_branch(flavor: Flavor, terms: Terms, gid: str) -> str:
    """Begin what may be prepared under a gid.

    >>> begin_branch(MARIADB, USUAL, "df:1")
    "XA START 'df:1'"
    """
    return _on_terms(flavor, terms, f"XA START '{gid}'", writes=True)


def restore_limits(flavor: Flavor) -> str:
    """Have the session's limits as they were; those of a transaction outlast it."""
    return "SET SESSION " + ", ".join(f"{name} = DEFAULT" for name in _limits(flavor, 1.0))


def _on_terms(flavor: Flavor, terms: Terms, begin: str, *, writes: bool) -> str:
    if terms.isolation is not None:
        begin = f"SET TRANSACTION ISOLATION LEVEL {_level(terms.isolation, writes=writes)}; {begin}"
    if terms.timeout is not None:
        values = ", ".join(f"{name} = {value}" for name, value in _limits(flavor, terms.timeout).items())
        begin = f"{begin}; SET SESSION {values}"
    return begin


def _level(isolation: Isolation, *, writes: bool) -> str:
    # Who writes nothing overwrites nothing, and need not lock what it reads.
    if isolation is Isolation.REPEATABLE_READ and not writes:
        return "REPEATABLE READ"
    return LEVELS[isolation]


def _limits(flavor: Flavor, timeout: float) -> Mapping[str, str]:
    seconds = timeout + LATER
    whole = str(ceil(seconds))
    if flavor is MARIADB:
        return {
            "max_statement_time": f"{seconds:.6f}",
            "innodb_lock_wait_timeout": whole,
            "idle_transaction_timeout": whole,
        }
    return {
        "max_execution_time": str(ceil(seconds * 1000)),
        "innodb_lock_wait_timeout": whole,
        "wait_timeout": whole,
    }
