"""The runtime for synchronous callers."""

from collections.abc import Mapping

from dataflow.errors import WorkflowError
from dataflow.execution.background import run_in_background
from dataflow.execution.scope import current_scope
from dataflow.runtime.options import check_concurrency, check_workflow
from dataflow.runtime.run import Run
from dataflow.workflow.graph import Workflow
from dataflow.workflow.results import Results

__all__ = ["LocalRuntime"]


class LocalRuntime:
    """Runs workflows for scripts, threads and notebooks, within a running event loop too.

    It holds nothing: any number of threads may share one, and nothing needs closing. Where every database is in
    the process the run happens in the calling thread; where something has to be waited for, on a background loop.

    :param concurrency: how many asynchronous functions of a run may overlap.

    >>> from dataflow import WorkflowBuilder
    >>> workflow = WorkflowBuilder()
    >>> workflow.add_node(lambda: 6 * 7, "answer")
    'answer'
    >>> results, run_id = LocalRuntime().execute(workflow.build())
    >>> results["answer"]["result"]
    42
    """

    def __init__(self, concurrency: int = 1) -> None:
        self._concurrency = check_concurrency(concurrency)

    def execute(
        self, workflow: Workflow, parameters: Mapping[str, Mapping[str, object]] | None = None
    ) -> tuple[Results, str]:
        """Run a workflow.

        :param parameters: for the id of a node, values by name; they replace those given when it was added.
        :returns: the results by node, and the id of the run.
        :raises WorkflowExecutionError: where a node fails and no edge takes it up; then nothing has happened.
        """
        check_workflow(workflow)
        run = Run(workflow, parameters)
        if not workflow.waits:
            run.here()
        elif current_scope.get() is not None:
            raise WorkflowError(
                "a workflow that waits cannot run inside a function of another run with LocalRuntime; "
                "make the function async and await AsyncLocalRuntime"
            )
        else:
            run_in_background(run.on_loop(self._concurrency))
        return run.results, run.id
