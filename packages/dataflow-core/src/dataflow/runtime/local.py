"""The runtime for synchronous callers."""

from collections.abc import Mapping

from dataflow.execution.background import run_in_background
from dataflow.execution.scope import current_scope
from dataflow.runtime.options import TransactionMode, check_concurrency, check_transaction, not_a_workflow
from dataflow.runtime.run import Run
from dataflow.workflow.graph import Workflow
from dataflow.workflow.results import Results

__all__ = ["LocalRuntime"]


class LocalRuntime:
    """Runs workflows for scripts, threads and notebooks, within a running event loop too.

    It holds nothing: any number of threads may share one, and nothing needs closing. Where every database is in
    the process the run happens in the calling thread; where something has to be waited for, on a background loop, which
    that thread runs as long as it is alone.

    :param concurrency: how many asynchronous functions of a run may overlap.
    :param transaction: what is one transaction: the whole run ("workflow"), each node ("node"), or nothing that does
        not need one by itself ("none").

    >>> from dataflow import WorkflowBuilder
    >>> workflow = WorkflowBuilder()
    >>> workflow.add_node(lambda: 6 * 7, "answer")
    'answer'
    >>> results, run_id = LocalRuntime().execute(workflow.build())
    >>> results["answer"]["result"]
    42
    """

    def __init__(self, concurrency: int = 1, transaction: TransactionMode = "workflow") -> None:
        self._concurrency = check_concurrency(concurrency)
        self._transaction = check_transaction(transaction)

    def execute(
        self, workflow: Workflow, parameters: Mapping[str, Mapping[str, object]] | None = None
    ) -> tuple[Results, str]:
        """Run a workflow.

        :param parameters: for the id of a node, values by name; they replace those given when it was added.
        :returns: the results by node, and the id of the run.
        :raises WorkflowExecutionError: where a node fails and no edge takes it up; then nothing has happened.
        """
        if not isinstance(workflow, Workflow):
            raise not_a_workflow(workflow)
        run = Run(workflow, parameters, self._transaction)
        if not workflow.waits:
            run.here()
        elif (outer := current_scope.get()) is None or outer.closed:
            run_in_background(run.on_loop(self._concurrency))
        else:
            outer.ask(run.on_loop(self._concurrency))
        return run.results, run.id
