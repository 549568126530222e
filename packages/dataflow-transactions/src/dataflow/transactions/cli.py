"""The commands ``dataflow transactions list``, ``recover`` and ``resolve``."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from dataflow.engine import DataFlow

__all__ = ["add_commands"]

OLDER_THAN = 60.0
WHERE = "a URL, or module:name of a DataFlow object"


def add_commands(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add them to those of ``dataflow``."""
    parser = commands.add_parser(
        "transactions", help="what has not come to its end, on one or several databases"
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add(actions, "list", _list, "list sagas and prepared transactions that have not come to their end")
    _add(actions, "recover", _recover, "finish what processes have left that are gone, or undo it")
    resolving = _add(actions, "resolve", _resolve, "end one of them as a person has decided", has_age=False)
    resolving.add_argument("id", help="of the saga, or the name of the prepared transaction")
    verdicts = resolving.add_mutually_exclusive_group(required=True)
    for verdict, told in {
        "retry": "of a saga: recovery tries its compensations again",
        "done": "of a saga: what had to be undone was undone by a person",
        "commit": "of a prepared transaction: commit it",
        "abort": "of a prepared transaction: roll it back",
    }.items():
        verdicts.add_argument(f"--{verdict}", dest="verdict", action="store_const", const=verdict, help=told)


def _add(
    actions: "_SubParsersAction[ArgumentParser]",
    name: str,
    action: Callable[["DataFlow", Namespace], Coroutine[Any, Any, int]],
    told: str,
    *,
    has_age: bool = True,
) -> ArgumentParser:
    parser = actions.add_parser(name, help=told)
    parser.add_argument("database", metavar="DATABASE", help=WHERE)
    if has_age:
        parser.add_argument(
            "--older-than",
            type=float,
            default=OLDER_THAN,
            metavar="SECONDS",
            help=f"{OLDER_THAN:g} without it",
        )
    parser.set_defaults(run=lambda chosen: _run(action, chosen))
    return parser


def _run(action: Callable[["DataFlow", Namespace], Coroutine[Any, Any, int]], chosen: Namespace) -> int:
    import asyncio

    from dataflow.transactions.databases import database_of

    async def work() -> int:
        async with database_of(chosen.database) as db:
            return await action(db, chosen)

    return asyncio.run(work())


async def _list(db: "DataFlow", chosen: Namespace) -> int:
    """Print them; the exit status is 1 where a person should look."""
    from dataflow.transactions.headers import NEEDS_ATTENTION
    from dataflow.transactions.unfinished import unfinished

    found = await unfinished(db)
    for one in found:
        _print(one.id, one.state, f"{one.age:.0f} s", one.name, one.problem)
    if not found:
        print("everything has come to its end")
    return int(any(one.state == NEEDS_ATTENTION or one.age > chosen.older_than for one in found))


async def _recover(db: "DataFlow", chosen: Namespace) -> int:
    """Print what became of each; the exit status is 1 where something is left."""
    from dataflow.transactions.headers import COMPENSATED, DONE
    from dataflow.transactions.recovery import recover

    recovered = await recover(db, chosen.older_than)
    for one in recovered:
        _print(one.id, one.state, one.name, one.problem)
    if not recovered:
        print("there is nothing to recover")
    ends = {DONE, COMPENSATED, "committed", "rolled back", "ended"}
    return int(any(one.state not in ends for one in recovered))


async def _resolve(db: "DataFlow", chosen: Namespace) -> int:
    from dataflow.transactions.unfinished import resolve

    print(f"{chosen.id} {await resolve(db, chosen.id, chosen.verdict)}")
    return 0


def _print(*words: str | None) -> None:
    print("  ".join(word for word in words if word), file=sys.stdout)
