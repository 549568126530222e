"""What dataflow-transactions tells the core."""

from collections.abc import Iterable
from functools import partial

from dataflow.abc import NodeType
from dataflow.hookspecs import hookimpl
from dataflow.model.schema import Model
from dataflow.transactions.nodes import TransactionManagerNode

__all__ = ["dataflow_register_nodes"]

NAMES = ("TransactionManagerNode", "DistributedTransactionManagerNode")


@hookimpl
def dataflow_register_nodes(model: Model | None) -> Iterable[NodeType]:
    if model is not None:
        return ()
    return [NodeType(name, partial(TransactionManagerNode, name)) for name in NAMES]
