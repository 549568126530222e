"""DataFlow against itself, on every database: what it costs that steps are a saga."""

from benchmarks.entries import Entry, Group, Package
from benchmarks.lineup.rivals import CONTESTANTS

__all__ = ["AS_STEPS"]

GROUP = Group("Steps, on an event loop", "dataflow-apart", ("dataflow-apart",), on_loop=True)
MODULE = f"{CONTESTANTS}.dataflow_steps"

AS_STEPS = (
    Entry("dataflow-apart", "DataFlow, each a transaction", GROUP, f"{MODULE}:ApartDataFlow"),
    Entry(
        "dataflow-saga",
        "DataFlow, a saga",
        GROUP,
        f"{MODULE}:SagaDataFlow",
        (Package("dataflow-transactions", "dataflow.transactions"),),
    ),
)
