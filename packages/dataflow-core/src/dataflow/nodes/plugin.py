"""The nodes of the core, by the same door as everybody's."""

from collections.abc import Iterable

from dataflow.abc import NodeType
from dataflow.hookspecs import hookimpl
from dataflow.model.schema import Model
from dataflow.nodes.bulk_create import BulkCreateNode
from dataflow.nodes.bulk_delete import BulkDeleteNode
from dataflow.nodes.bulk_update import BulkUpdateNode
from dataflow.nodes.bulk_upsert import BulkUpsertNode
from dataflow.nodes.crud import CreateNode, DeleteNode, ReadNode, UpdateNode
from dataflow.nodes.listing import ListNode
from dataflow.nodes.sql import SQLNode
from dataflow.nodes.transaction_context import TransactionContextNode

__all__ = ["dataflow_register_nodes"]

OF_A_MODEL = (
    CreateNode,
    ReadNode,
    UpdateNode,
    DeleteNode,
    ListNode,
    BulkCreateNode,
    BulkUpdateNode,
    BulkDeleteNode,
    BulkUpsertNode,
)
# Without a key no row can be told from another, so that none may be changed.
WITHOUT_A_KEY = (ReadNode, ListNode)


@hookimpl
def dataflow_register_nodes(model: Model | None) -> Iterable[NodeType]:
    if model is None:
        return [
            NodeType("SQLNode", SQLNode),
            NodeType("TransactionContextNode", lambda database: TransactionContextNode()),
        ]
    return [
        NodeType(f"{model.name}{node.suffix}", node) for node in (OF_A_MODEL if model.key else WITHOUT_A_KEY)
    ]
