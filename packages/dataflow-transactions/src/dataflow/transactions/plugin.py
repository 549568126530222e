"""What dataflow-transactions tells the core."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from dataflow.abc import NodeType
from dataflow.hookspecs import hookimpl
from dataflow.model.schema import Model
from dataflow.transactions.nodes import TransactionManagerNode

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction

__all__ = ["dataflow_register_commands", "dataflow_register_nodes"]

NAMES = ("TransactionManagerNode", "DistributedTransactionManagerNode")


@hookimpl
def dataflow_register_nodes(model: Model | None) -> Iterable[NodeType]:
    if model is not None:
        return ()
    return [NodeType(name, partial(TransactionManagerNode, name)) for name in NAMES]


@hookimpl
def dataflow_register_commands(commands: "_SubParsersAction[ArgumentParser]") -> None:
    from dataflow.transactions.cli import add_commands

    add_commands(commands)
