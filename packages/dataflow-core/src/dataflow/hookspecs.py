"""The hooks of DataFlow. They are asked once, when an engine starts or a model is defined; never per statement."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from dataflow.abc import DialectFactory, Interceptor, NodeType
from dataflow.config import DataFlowConfig
from dataflow.model.extension import ExtraField
from dataflow.model.schema import Model

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction

__all__ = ["hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("dataflow")
hookimpl = pluggy.HookimplMarker("dataflow")


@hookspec
def dataflow_register_dialects() -> Iterable[DialectFactory]:
    """Name the dialects of a package, without importing their drivers."""
    return ()


@hookspec
def dataflow_extend_model(model: Model) -> Iterable[ExtraField]:
    """Name the fields that a model gets for what its options ask for."""
    return ()


@hookspec
def dataflow_statement_interceptors(config: DataFlowConfig) -> Iterable[Interceptor]:
    """Make the interceptors of a database, in the order in which they rewrite."""
    return ()


@hookspec
def dataflow_register_nodes(model: Model | None) -> Iterable[NodeType]:
    """Name the node types of a model, or those that belong to no model where ``model`` is None."""
    return ()


@hookspec
def dataflow_register_commands(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add subcommands to the command ``dataflow``."""
