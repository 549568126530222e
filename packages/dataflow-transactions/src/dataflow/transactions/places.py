"""Where a saga is kept and its actions are done: who the databases are, and for people what they were called."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from dataflow.transactions.abilities import called
from dataflow.transactions.documents import read_document, write_document
from dataflow.transactions.plan import Plan

__all__ = ["HOME", "Recorded", "read_places", "write_places"]

HOME: Final = "home"
"""Stands among steps and directions, which have a dot between them."""


class Recorded(NamedTuple):
    """A database as a saga has recorded it.

    :param called: its name and address at that time.
    """

    identity: str
    called: str

    def __str__(self) -> str:
        return f"{self.called} of the identity {self.identity}"


def write_places(plan: Plan) -> str:
    """The databases of a saga that begins, as its row keeps them."""
    databases = {HOME: plan.home} | {f"{task.step}.{task.direction}": task.database for task in plan.tasks}
    return write_document(
        {name: [plan.identities[database], called(database)] for name, database in databases.items()}
    )


def read_places(text: str) -> Mapping[str, Recorded]:
    """The databases of a saga, by step and direction, and its home."""
    return {name: Recorded(*recorded) for name, recorded in read_document(text).items()}
