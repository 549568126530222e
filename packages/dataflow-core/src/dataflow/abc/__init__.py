"""The contracts between the core and what is plugged into it."""

from dataflow.abc.batches import BatchInsert, BatchUpdate
from dataflow.abc.connections import Connection, Cursor, SequentialConnection
from dataflow.abc.dialects import ArrayDialect, Dialect, DiscoveringDialect, ReplicatingDialect
from dataflow.abc.plugins import DialectFactory, Interceptor, NodeType, Observer
from dataflow.abc.replication import Replication
from dataflow.abc.tables import Column, IndexOnTable, Table
from dataflow.abc.two_phase import InDoubt, TwoPhase
from dataflow.abc.values import Codec, Convert, DecodesUnless, RawResult, Row, Rows

__all__ = [
    "ArrayDialect",
    "BatchInsert",
    "BatchUpdate",
    "Codec",
    "Column",
    "Connection",
    "Convert",
    "Cursor",
    "DecodesUnless",
    "Dialect",
    "DialectFactory",
    "DiscoveringDialect",
    "InDoubt",
    "IndexOnTable",
    "Interceptor",
    "NodeType",
    "Observer",
    "RawResult",
    "ReplicatingDialect",
    "Replication",
    "Row",
    "Rows",
    "SequentialConnection",
    "Table",
    "TwoPhase",
]
