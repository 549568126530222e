"""Where the types of nodes are looked up: among the open databases of the process."""

import weakref
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from threading import Lock
from typing import Protocol

from dataflow.errors import UnknownNode, WorkflowError
from dataflow.execution.database import Database
from dataflow.nodes.contract import Node
from dataflow.nodes.function import FunctionNode

__all__ = ["Engine", "NodeSource", "OpenDatabases", "open_databases"]


class NodeSource(Protocol):
    """Something that knows types of nodes by name."""

    def find_node(self, name: str, near: Collection[Database] = ()) -> Node:
        """The node of a type.

        :param near: databases that are preferred where several offer the type.
        :raises DataFlowError: where there is none, or several that contradict each other.
        """


class Engine(NodeSource, Protocol):
    """A database object, as far as looking up nodes goes."""

    def node_names(self) -> Collection[str]:
        """The types that it knows."""

    def databases(self) -> Mapping[str, Database]:
        """Its databases by name."""

    def replaces(self, other: "Engine", name: str) -> bool:
        """Whether its definition of a type makes an older one obsolete: the same class again, or the same database."""


class OpenDatabases:
    """The database objects that are alive, held weakly."""

    def __init__(self) -> None:
        self._engines: weakref.WeakKeyDictionary[Engine, int] = weakref.WeakKeyDictionary()
        self._numbers = count()
        self._lock = Lock()

    def add(self, engine: Engine) -> None:
        """Take up a database object."""
        with self._lock:
            self._engines[engine] = next(self._numbers)

    def remove(self, engine: Engine) -> None:
        """Forget one that was closed."""
        with self._lock:
            self._engines.pop(engine, None)

    def engines(self) -> Sequence[Engine]:
        """All of them, the newest first."""
        with self._lock:
            newest_first = sorted(self._engines.items(), key=lambda item: -item[1])
        return [engine for engine, _ in newest_first]

    def find_node(self, name: str, near: Collection[Database] = ()) -> Node:
        all_engines = self.engines()
        engines = [engine for engine in all_engines if name in engine.node_names()]
        if not engines:
            known = {known for engine in all_engines for known in engine.node_names()}
            raise UnknownNode("node type", name, "no open database" if not known else "the process", known)
        preferred = [
            engine for engine in engines if not near or not set(engine.databases().values()).isdisjoint(near)
        ]
        newest, *others = preferred or engines
        node = newest.find_node(name, near)
        # What works on no database is everywhere the same, unless it is a function, which somebody wrote.
        is_shared = node.database is None and not isinstance(node, FunctionNode)
        for other in others:
            if not is_shared and not newest.replaces(other, name):
                raise WorkflowError(f"several open databases define {name}; say which: WorkflowBuilder(db)")
        return node


open_databases = OpenDatabases()
"""The database objects of this process."""
