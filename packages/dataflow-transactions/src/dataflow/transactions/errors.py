"""What can go wrong with transactions over several databases."""

from dataflow.errors import WorkflowError

__all__ = ["SagaFailed"]


class SagaFailed(WorkflowError):
    """A saga whose steps were not all done. What was done of them is undone, as far as ``state`` says.

    :param saga: its id; None where the steps were one transaction.
    :param step: the id of the step that failed.
    :param cause: why.
    :param state: ``compensated`` where all was undone, ``compensating`` where recovery has to go on,
        ``needs_attention`` where a person has to, and ``running`` where not even that it failed could be kept. Of
        steps that were one transaction ``rolled_back``, or ``unknown`` where the answer to its commit did not come.
    """

    def __init__(self, saga: str | None, step: str, cause: BaseException, state: str) -> None:
        super().__init__(f"step {step!r} failed: {type(cause).__name__}: {cause}; {OUTCOMES[state]}")
        self.saga = saga
        self.step = step
        self.cause = cause
        self.state = state


OUTCOMES = {
    "rolled_back": "nothing of it was kept",
    "unknown": "whether it was committed is not known",
    "running": "the database that keeps it cannot be reached, and recovery may still finish it",
    "compensated": "what had been done was undone",
    "compensating": "what had been done is not all undone yet, dataflow transactions recover goes on with it",
    "needs_attention": "what had been done could not all be undone, dataflow transactions list tells more",
}
