"""The hooks of DataFlow. They are asked once, when an engine starts or a model is defined; never per statement."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from dataflow.abc import DialectFactory, NodeType
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
def dataflow_register_nodes(model: Model | None) -> Iterable[NodeType]:
    """Name the node types of a model, or those that belong to no model where ``model`` is None."""
    return ()


@hookspec
def dataflow_register_commands(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add subcommands to the command ``dataflow``."""
