"""A bank on two databases, as a program that may be killed at any moment.

``python bank.py transfer FORM NUMBER OUTCOME FIRST SECOND`` takes 10 from the account of that number in the first
database, and gives it to that in the second one, or fails. ``python bank.py work FORM ACCOUNTS FIRST SECOND`` does so
for ever, with several at once. ``python bank.py recover FIRST SECOND`` is the restart of both.

``python bank.py serve`` reads such commands from its input, as JSON, and runs each in a process of its own that is
forked, so that everything is imported once only.
"""

import asyncio
import importlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

from dataflow import AsyncLocalRuntime, DataFlow, Field, WorkflowBuilder
from dataflow.errors import ForeignKeyViolation, ScopeLost, WorkflowExecutionError
from dataflow.plugins import plugins
from dataflow.transactions import NotDone, SagaFailed, crash, recover
from dataflow.workflow.graph import Workflow

AMOUNT = 10
SUCCEEDS, FAILS, FAILS_LATE = OUTCOMES = ("succeeds", "fails", "fails-late")
"""How a transfer ends if nobody kills it. Late is where the first database refuses to commit when all else is prepared,
and in a saga where somebody outside of both databases refuses."""
VOWS = "CREATE TABLE vows (account INTEGER REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED)"
PATIENCE = 60
HURRY = 0.2  # seconds
WORKERS = 3
DIALECTS = ("mysql", "postgres", "sqlite")


class Refused(Exception):
    """What a transfer that is to fail fails with."""


def bank(first: str, second: str, *, makes_tables: bool = False) -> DataFlow:
    """The database object: accounts and transfers in the first database, savings in the second one."""
    db = DataFlow(first, savings_db=second, pool_size=4, pool_max_overflow=0, auto_migrate=makes_tables)

    @db.model
    class Account:
        balance: int
        __dataflow__ = {"timestamps": False}  # noqa: RUF012 - as every model writes it

    @db.model
    class Saving:
        balance: int
        __dataflow__ = {"timestamps": False, "database": "savings"}  # noqa: RUF012

    @db.model
    class Transfer:
        account: int
        __dataflow__ = {"timestamps": False}  # noqa: RUF012

    @db.node(name="NoteNode")
    async def note(account: int) -> dict[str, int]:
        made = await db.nodes.TransferCreateNode(account=account)
        return {"id": made["id"]}

    @db.node(name="StrikeOutNode")
    async def strike_out(id: int) -> dict[str, int]:
        return {"deleted": (await db.nodes.TransferDeleteNode(id=id))["deleted"]}

    @db.model
    class Notice:
        id: str = Field(primary_key=True, max_length=100)
        is_regretted: bool = False
        __dataflow__ = {"timestamps": False}  # noqa: RUF012

    @db.node(name="NotifyNode", outside=True)
    async def notify(fails: bool, idempotency_key: str) -> dict[str, str]:
        """What somebody else does: nothing here is one with the saga, and the same key means the same notice."""
        if fails:
            raise NotDone
        async with db.transaction():
            if not (await db.nodes.NoticeReadNode(id=idempotency_key))["found"]:
                await db.nodes.NoticeCreateNode(id=idempotency_key)
        return {"notice": idempotency_key}

    @db.node(name="RegretNode", outside=True)
    async def regret(notice: str) -> None:
        await db.nodes.NoticeUpdateNode(id=notice, updates={"is_regretted": True})

    @db.node(name="ApproveNode")
    async def approve(fails: bool) -> None:
        if fails:
            raise Refused

    return db


def changed(by: int) -> dict[str, Any]:
    return {"updates": {"$inc": {"balance": by}}}


def saga(db: DataFlow, number: int, outcome: str) -> Workflow:
    steps = [
        {
            "id": "take",
            "node": "AccountUpdateNode",
            "parameters": {"id": number, **changed(-AMOUNT)},
            "compensation": "AccountUpdateNode",
            "compensation_parameters": changed(AMOUNT),
        },
        {
            "id": "give",
            "node": "SavingUpdateNode",
            "parameters": {"id": number, **changed(AMOUNT)},
            "compensation": "SavingUpdateNode",
            "compensation_parameters": changed(-AMOUNT),
        },
        {
            "id": "note",
            "node": "NoteNode",
            "parameters": {"account": number},
            "compensation": "StrikeOutNode",
        },
        {
            "id": "notify",
            "node": "NotifyNode",
            "parameters": {"fails": outcome == FAILS_LATE},
            "compensation": "RegretNode",
        },
        {
            "id": "approve",
            "node": "ApproveNode",
            "parameters": {"fails": outcome == FAILS},
            "compensation": None,
        },
    ]
    workflow = WorkflowBuilder(db)
    workflow.add_node("TransactionManagerNode", "transfer", {"pattern": "saga", "steps": steps})
    return workflow.build()


def two_phase(db: DataFlow, number: int, outcome: str) -> Workflow:
    workflow = WorkflowBuilder(db)
    workflow.add_node("TransactionManagerNode", "transfer", {"pattern": "two_phase"})
    workflow.add_node("AccountUpdateNode", "take", {"id": number, **changed(-AMOUNT)})
    workflow.add_node("SavingUpdateNode", "give", {"id": number, **changed(AMOUNT)})
    workflow.add_node("NoteNode", "note", {"account": number})
    workflow.add_node("ApproveNode", "approve", {"fails": outcome == FAILS})
    for before, after in pairwise(("transfer", "take", "give", "note", "approve")):
        workflow.add_connection(before, after)
    if outcome == FAILS_LATE:
        workflow.add_node("SQLNode", "vow", {"sql": "INSERT INTO vows (account) VALUES (-1)"})
        workflow.add_connection("approve", "vow")
    return workflow.build()


FORMS = {"saga": saga, "two_phase": two_phase}


async def transfer(form: str, number: str, outcome: str, first: str, second: str) -> None:
    """:raises Exception: where it ends otherwise than it was told to."""
    async with bank(first, second) as db:
        try:
            await AsyncLocalRuntime().execute(FORMS[form](db, int(number), outcome))
        except WorkflowExecutionError as error:
            if not is_expected(error, outcome):
                raise


def is_expected(error: BaseException | None, outcome: str) -> bool:
    """Whether a transfer that was to fail has failed as it was to."""
    expected = {SUCCEEDS: (), FAILS: (Refused,), FAILS_LATE: (ForeignKeyViolation, NotDone)}[outcome]
    while error is not None and not isinstance(error, expected):
        error = error.__cause__
    return error is not None


async def work(form: str, accounts: str, first: str, second: str) -> None:
    """Transfer between all accounts, several at once, until somebody ends it. Every other transfer is in a hurry."""
    async with bank(first, second) as db:

        async def transfers() -> None:
            while True:
                number, outcome = random.randint(1, int(accounts)), random.choice(OUTCOMES)
                terms = random.choice(({}, {"timeout": random.uniform(0, HURRY)}))
                try:
                    await AsyncLocalRuntime().execute(FORMS[form](db, number, outcome), {"transfer": terms})
                except WorkflowExecutionError as error:
                    if not (is_expected(error, outcome) or isinstance(error.cause, ScopeLost | SagaFailed)):
                        raise

        await asyncio.gather(*(transfers() for _ in range(WORKERS)))


async def restart(first: str, second: str) -> None:
    """What a program does when it starts again."""
    async with bank(first, second) as db:
        await recover(db, older_than=0)


VERBS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "transfer": transfer,
    "work": work,
    "recover": restart,
}


def main(verb: str, *arguments: str) -> None:
    asyncio.run(VERBS[verb](*arguments))


# ---------------------------------------------------------------------- many in a row


def serve() -> None:
    """Run a command for each line of the input, and tell on the output how it ended."""
    load()
    for line in sys.stdin:
        command = json.loads(line)
        with tempfile.TemporaryFile("w+") as output:
            status = run_apart(command, output.fileno())
            output.seek(0)
            print(json.dumps({"status": status, "output": output.read()}), flush=True)


def load() -> None:
    """Import all that a transfer needs."""
    for name in (
        "asyncmy",
        "asyncpg",
        "dataflow.model.declare",
        *(f"dataflow.{name}.driver" for name in DIALECTS),
    ):
        importlib.import_module(name)
    plugins()


def run_apart(command: dict[str, Any], output: int) -> int:
    """Run a command in a process of its own: its exit code, or the number of the signal that ended it, negative."""
    child = os.fork()
    if child == 0:
        try:
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.environ["DATAFLOW_CRASH_AT"] = command["crash_at"]
            importlib.reload(crash)  # it has read the variable before
            signal.alarm(PATIENCE)
            main(*command["arguments"])
            sys.stdout.flush()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    if command["killed_after"] is not None:
        time.sleep(command["killed_after"])
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        main(*sys.argv[1:])
