"""What dataflow-transactions tells the core."""

from collections.abc import Iterable

from dataflow.abc import NodeType
from dataflow.hookspecs import hookimpl
from dataflow.model.schema import Model

__all__ = ["dataflow_register_nodes"]


@hookimpl
def dataflow_register_nodes(model: Model | None) -> Iterable[NodeType]:
    return ()
