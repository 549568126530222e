"""The interceptors of the core and the fields that they need, by the same door as everybody's."""

from collections.abc import Iterable

from dataflow.abc import Interceptor
from dataflow.config import DataFlowConfig
from dataflow.hookspecs import hookimpl
from dataflow.interceptors.soft_delete import SoftDelete
from dataflow.interceptors.versions import Versions
from dataflow.model.extension import ExtraField
from dataflow.model.features import DELETED_AT, VERSION
from dataflow.model.schema import Model

__all__ = ["dataflow_extend_model", "dataflow_statement_interceptors"]


@hookimpl
def dataflow_extend_model(model: Model) -> Iterable[ExtraField]:
    if model.options.get("soft_delete"):
        yield DELETED_AT
    if model.options.get("versioned"):
        yield VERSION


@hookimpl
def dataflow_statement_interceptors(config: DataFlowConfig) -> Iterable[Interceptor]:
    # A soft deletion is an update by the time that versions are counted.
    return (SoftDelete(), Versions())
