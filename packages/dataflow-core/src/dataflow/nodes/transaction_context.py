"""The node that says on which terms a run, or a part of it, is one unit of work."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from dataflow.errors import InvalidValue, UnknownName
from dataflow.execution.agreement import Agreement
from dataflow.nodes.contract import Output, Place
from dataflow.terms import Terms, read_terms

__all__ = ["Context", "TransactionContextNode"]

PARAMETERS = ("isolation_level", "read_only", "retries", "timeout")
MOST_RETRIES = 1000


class Context(NamedTuple):
    """What a TransactionContextNode says.

    :param terms: on which the transactions run.
    :param retries: how often all of it may be run again; None for as often as usual.
    """

    terms: Terms
    retries: int | None


class TransactionContextNode:
    """Without connections it configures the run; with them, the nodes that are reached only through it are its scope.

    Its parameters are ``isolation_level``, ``read_only``, ``timeout`` in seconds and ``retries``.
    """

    name = "TransactionContextNode"
    agreement: Agreement | None = None
    """Has the transactions of its scope on several databases end as one."""
    database = None
    model = None
    outputs = frozenset({*PARAMETERS, "result"})
    settled = True
    waits = False
    outside = False

    def may_write(self, parameters: Mapping[str, object]) -> bool:
        return False

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        for name in names:
            if name not in PARAMETERS:
                raise UnknownName("parameter", name, self.name, PARAMETERS)
        self.prepare(parameters)

    def missing(self, names: Collection[str]) -> str | None:
        return None

    def prepare(self, parameters: Mapping[str, Any]) -> Context:
        terms = read_terms(
            parameters.get("isolation_level"), parameters.get("read_only"), parameters.get("timeout")
        )
        retries = parameters.get("retries")
        return Context(terms, None if retries is None else _count(retries))

    def repeatable(self, parameters: Mapping[str, object]) -> bool:
        return True

    def alone(self, prepared: Context) -> bool:
        return False

    async def run(self, scope: Place, prepared: Context) -> Output:
        terms = prepared.terms
        said = {
            "isolation_level": None if terms.isolation is None else terms.isolation.value,
            "read_only": terms.read_only,
            "retries": prepared.retries,
            "timeout": terms.timeout,
        }
        return {**said, "result": said}


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= MOST_RETRIES:
        raise InvalidValue(f"retries: expected a whole number from 0 to {MOST_RETRIES}")
    return value
