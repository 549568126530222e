"""A transfer between two accounts as a saga, in a process of its own, which may die at any point of it.

``python program.py URL OTHER_URL give|fail|late|recover LETTERS``: the second account is in another database if that
has another URL. With ``fail`` the last step does, so that the others are undone; with ``late`` it has an hour; with
``recover`` nothing is transferred, and what is left is taken up.
"""

import asyncio
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.transactions import NotDone, recover
from dataflow.workflow.graph import Workflow

AMOUNT = 30
ERROR, OVERTAKEN, NOT_DONE = "error", "overtaken", "not done"
"""What befalls the next letter that is to be written, before it is, where a file beside the letters says so."""


def befalls(letters: Path) -> Path:
    """The file that says what befalls the next letter."""
    return letters.with_suffix(".befalls")


def suffer(letters: Path) -> None:
    file = befalls(letters)
    what = file.read_text() if file.exists() else ""
    file.unlink(missing_ok=True)
    if what == ERROR:
        raise ValueError("no paper")
    if what == NOT_DONE:
        raise NotDone("there is no such letter")
    if what == OVERTAKEN:
        file.write_text(NOT_DONE)
        command = [sys.executable, *sys.argv[:3], "recover", str(letters)]
        subprocess.run(command, env={**os.environ, "DATAFLOW_CRASH_AT": ""}, check=True)


def define(db: DataFlow, letters: Path) -> None:
    """The models and functions of the program.

    :param letters: takes up a line for each letter.
    """

    @db.model
    class Account:
        owner: str
        balance: int

    @db.node(outside=True)
    def write_letter(owner: str, idempotency_key: str) -> dict[str, Any]:
        suffer(letters)
        with letters.open("a") as file:
            file.write(f"{idempotency_key} {owner}\n")
        return {"written": True}

    @db.node(outside=True)
    def regret_letter(written: bool, idempotency_key: str) -> None:
        with letters.open("a") as file:
            file.write(f"{idempotency_key} {written}\n")


def transfer(home: DataFlow, other: DataFlow, *, fails: bool, **parameters: object) -> Workflow:
    """Money goes from the first account to the second, and a letter tells of it."""

    def change(db: DataFlow, id: int, amount: int) -> dict[str, Any]:
        node = db.nodes.AccountUpdateNode
        return {
            "id": f"account {id}",
            "node": node,
            "parameters": {"id": id, "updates": {"$inc": {"balance": amount}}},
            "compensation": node,
            "compensation_parameters": {"id": id, "updates": {"$inc": {"balance": -amount}}},
        }

    letter = {"node": "write_letter", "compensation": "regret_letter", "parameters": {"owner": "Bob"}}
    missing = {
        "id": "missing",
        "node": "AccountUpdateNode",
        "parameters": {"id": 99, "updates": {"$inc": {"balance": 0}}},
        "compensation": None,
    }
    steps = [change(home, 1, -AMOUNT), letter, change(other, 2, AMOUNT), *([missing] if fails else [])]
    workflow = WorkflowBuilder(home)
    workflow.add_node("TransactionManagerNode", "transfer", {"pattern": "saga", "steps": steps, **parameters})
    return workflow.build()


def main(url: str, other_url: str, outcome: str, letters: str) -> None:
    with ExitStack() as stack:
        home = stack.enter_context(DataFlow(url))
        define(home, Path(letters))
        other = home
        if other_url != url:
            other = stack.enter_context(DataFlow(other_url))
            define(other, Path(letters))
        if outcome == "recover":
            asyncio.run(recover(home, older_than=0))
            return
        time = {"timeout": 3600} if outcome == "late" else {}
        LocalRuntime().execute(transfer(home, other, fails=outcome == "fail", **time))


if __name__ == "__main__":
    main(*sys.argv[1:])
