"""How transactions begin."""

from math import ceil

from dataflow.terms import Terms

__all__ = ["begin_on"]

LATER = 1.0  # seconds that the server leaves to whoever looks at the clock here, if somebody does
LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


def begin_on(terms: Terms) -> str:
    """Begin on terms of its own, in one round trip.

    >>> from dataflow.terms import Isolation
    >>> begin_on(Terms(Isolation.REPEATABLE_READ, read_only=True))
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'
    """
    words = ["BEGIN"]
    if terms.isolation is not None:
        words.append(f"ISOLATION LEVEL {terms.isolation.value.replace('_', ' ')}")
    if terms.read_only:
        words.append("READ ONLY")
    statements = [" ".join(words)]
    if terms.timeout is not None:
        milliseconds = ceil((terms.timeout + LATER) * 1000)
        statements += [f"SET LOCAL {limit} = {milliseconds}" for limit in LIMITS]
    return "; ".join(statements)
