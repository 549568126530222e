"""The public names of ``dataflow``, in one place."""

from dataflow import errors
from dataflow.config import DataFlowConfig
from dataflow.engine import DataFlow
from dataflow.model.field import Field, ForeignKey, Index, utcnow
from dataflow.nodes.function import node
from dataflow.query_builder import create_query_builder
from dataflow.runtime.asynchronous import AsyncLocalRuntime
from dataflow.runtime.local import LocalRuntime
from dataflow.workflow.builder import WorkflowBuilder
from dataflow.workflow.graph import Workflow

__all__ = [
    "AsyncLocalRuntime",
    "DataFlow",
    "DataFlowConfig",
    "Field",
    "ForeignKey",
    "Index",
    "LocalRuntime",
    "Workflow",
    "WorkflowBuilder",
    "create_query_builder",
    "errors",
    "node",
    "utcnow",
]
