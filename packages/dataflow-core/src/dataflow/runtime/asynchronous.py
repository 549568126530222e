"""The runtime for callers on an event loop."""

from collections.abc import Mapping

from dataflow.runtime.options import TransactionMode, check_concurrency, check_transaction, not_a_workflow
from dataflow.runtime.run import Run
from dataflow.workflow.graph import Workflow
from dataflow.workflow.results import Results

__all__ = ["AsyncLocalRuntime"]


class AsyncLocalRuntime:
    """Runs workflows on the running event loop, which never waits for a database.

    It holds nothing: any number of tasks and loops may share one.

    :param concurrency: how many asynchronous functions of a run may overlap.
    :param transaction: what is one transaction: the whole run ("workflow"), each node ("node"), or nothing that does
        not need one by itself ("none").

    >>> import asyncio
    >>> from dataflow import WorkflowBuilder
    >>> workflow = WorkflowBuilder()
    >>> workflow.add_node(lambda: 6 * 7, "answer")
    'answer'
    >>> results, run_id = asyncio.run(AsyncLocalRuntime().execute(workflow.build()))
    >>> results["answer"]["result"]
    42
    """

    def __init__(self, concurrency: int = 1, transaction: TransactionMode = "workflow") -> None:
        self._concurrency = check_concurrency(concurrency)
        self._transaction = check_transaction(transaction)

    async def execute(
        self, workflow: Workflow, parameters: Mapping[str, Mapping[str, object]] | None = None
    ) -> tuple[Results, str]:
        """Run a workflow; as :meth:`LocalRuntime.execute`.

        A run that is cancelled leaves nothing, unless the cancellation comes when its commit is already under way.
        """
        if not isinstance(workflow, Workflow):
            raise not_a_workflow(workflow)
        run = Run(workflow, parameters, self._transaction)
        await run.on_loop(self._concurrency)
        return run.results, run.id
