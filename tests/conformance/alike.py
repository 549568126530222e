"""Two databases that are given the same steps, and how their outcomes are compared."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from dataflow import DataFlow
from dataflow.capabilities import Capability
from dataflow.errors import DataFlowError
from dataflow.testing.examples import FACTOR

__all__ = ["NARROWER", "Pair", "Row", "same"]

Row: TypeAlias = Mapping[str, Any]

NARROWER = ("InvalidValue", "OutOfRange")
"""The errors of a database that cannot hold a value which SQLite holds: it may refuse it, and not bend it."""

NUMBERS_OF_ROWS = ("count", "inserted", "updated", "deleted")
TIMES = ("created_at", "updated_at")


class Pair(NamedTuple):
    """SQLite, and a database that does what it does.

    :param compared: how many rows the outputs were about that both brought, for each kind of node.
    """

    one: DataFlow
    other: DataFlow
    compared: Counter[str]

    def define(self, define: Callable[[DataFlow], Any]) -> None:
        for db in (self.one, self.other):
            define(db)

    def have(self, capability: Capability) -> bool:
        return all(
            capability in db.databases()["primary"].dialect.capabilities for db in (self.one, self.other)
        )

    def run(self, node: str, **parameters: Any) -> tuple[Any, Any]:
        """What a node brings on each: its output, or the type of its error."""
        return outcome(self.one, node, parameters), outcome(self.other, node, parameters)

    def agree(self, node: str, **parameters: Any) -> bool:
        """Check that both do the same, be it to refuse; False where only the narrower one refuses."""
        expected, found = self.run(node, **parameters)
        if found in NARROWER and (isinstance(expected, dict) or expected in NARROWER):
            return expected in NARROWER
        assert same_outcome(found, expected), f"{node}: {parameters}\n{found}\nSQLite: {expected}"
        if isinstance(found, dict):
            self.compared[node] += rows_of(found)
        return True

    def store(self, model: str, rows: Sequence[Row]) -> Sequence[int]:
        """Store rows in both databases; the places of those that remain, as both can hold their values."""
        outputs = self.run(f"{model}BulkCreateNode", data=rows, on_error="continue")
        failed = [row for output in outputs for row in output["failed"]]
        assert {row["error_type"] for row in failed} <= set(NARROWER), failed
        refused = {row["index"] for row in failed}
        self.run(
            f"{model}BulkDeleteNode", filter={"id": {"$in": [rows[index]["id"] for index in sorted(refused)]}}
        )
        return [index for index, _ in enumerate(rows) if index not in refused]

    def must_have_compared(self, *nodes: str) -> None:
        """Refuse an agreement about nothing: each of these nodes has told of rows, on both databases."""
        silent = [node for node in nodes if not self.compared[node]]
        assert not silent or FACTOR < 1, f"never compared: {', '.join(silent)}; {dict(self.compared)}"


def outcome(db: DataFlow, node: str, parameters: Mapping[str, Any]) -> Any:
    try:
        return dict(db.run_sync(getattr(db.nodes, node)(**parameters)))
    except DataFlowError as error:
        return type(error).__name__


def rows_of(output: Row) -> int:
    """How many rows an output is about."""
    return 1 if "record" in output else sum(output.get(name, 0) for name in NUMBERS_OF_ROWS)


def same(found: Any, expected: Any) -> bool:
    """Equal, and of equal types all the way down; the names in a document have no order."""
    if type(found) is not type(expected):
        return False
    if isinstance(found, dict):
        return found.keys() == expected.keys() and all(same(found[name], expected[name]) for name in found)
    if isinstance(found, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return bool(found == expected)


def same_outcome(found: Any, expected: Any) -> bool:
    """The same outputs, save for the times; of rows that failed the same are told, for the same kind of reason."""
    return same(comparable(found), comparable(expected))


def comparable(output: Any) -> Any:
    if not isinstance(output, dict):
        return output
    kept = {name: value for name, value in output.items() if name not in TIMES}
    for name in ("record", "result"):
        if name in kept:
            kept[name] = comparable(kept[name])
    if "failed" in kept:
        kept["failed"] = [(row["index"], row["error_type"]) for row in kept["failed"]]
    return kept
