"""What can go wrong with transactions over several databases."""

from dataflow.errors import DataFlowError, WorkflowError

__all__ = ["NotDone", "SagaFailed"]


class NotDone(DataFlowError):
    """A step that is a function outside of any transaction raises it to say that nothing was done, now or before.

    Any other error says so of its first call only. After a crash, or a call that was interrupted, none but this one
    spares the step being called once more, and its compensation.

    >>> raise NotDone("the card was refused")
    Traceback (most recent call last):
    dataflow.transactions.errors.NotDone: the card was refused
    """


class SagaFailed(WorkflowError):
    """A saga whose steps were not all done. What was done of them is undone, as far as ``state`` says.

    :param saga: its id; None where the steps were one transaction.
    :param step: the id of the step that failed; None where all were done, and only that could not be kept.
    :param cause: why.
    :param state: ``compensated`` where all was undone, ``compensating`` where recovery has to go on,
        ``needs_attention`` where a person has to, and ``running`` where its home could not be reached. Of steps that
        were one transaction ``rolled_back``, or ``unknown`` where the answer to its commit did not come.
    """

    def __init__(self, saga: str | None, step: str | None, cause: BaseException, state: str) -> None:
        what = "that all steps are done could not be kept" if step is None else f"step {step!r} failed"
        super().__init__(f"{what}: {type(cause).__name__}: {cause}; {OUTCOMES[state]}")
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
