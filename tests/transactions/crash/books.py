"""The books of the bank: what is in the two databases, seen from outside of the programs that write there."""

from collections import Counter
from typing import Any, NamedTuple

from dataflow import LocalRuntime
from dataflow.execution.background import run_in_background
from dataflow.transactions.in_doubt import branches_in_doubt

from .bank import AMOUNT, FORMS, SUCCEEDS, VOWS, bank

__all__ = ["Books", "Line"]

OPENED_WITH = 100
FINAL = ("done", "compensated")


class Line(NamedTuple):
    """What a number has: its account, what it has saved, and how many transfers were noted."""

    account: int
    saving: int
    noted: int

    @property
    def is_right(self) -> bool:
        """Whether each transfer that was noted has happened once, on both sides, and nothing else has."""
        moved = AMOUNT * self.noted
        return (self.account, self.saving) == (OPENED_WITH - moved, OPENED_WITH + moved)


class Books:
    """Reads what there is.

    :param urls: of the two databases.
    """

    def __init__(self, urls: tuple[str, str]) -> None:
        self.urls = urls
        self.db = bank(*urls, makes_tables=True)

    def open(self, accounts: int) -> None:
        """Make the tables, and so many accounts."""
        rows = [{"id": number, "balance": OPENED_WITH} for number in range(1, accounts + 1)]
        nodes = self.db.nodes
        for call in (nodes.AccountBulkCreateNode(data=rows), nodes.SavingBulkCreateNode(data=rows)):
            self.db.run_sync(call)
        self.db.run_sync(nodes.SQLNode(sql=VOWS))
        for make in FORMS.values():
            LocalRuntime().execute(make(self.db, 1, SUCCEEDS))
        assert self.lines()[1] == (OPENED_WITH - 2 * AMOUNT, OPENED_WITH + 2 * AMOUNT, 2)

    def close(self) -> None:
        with self.db:
            pass

    def lines(self, number: int | None = None) -> dict[int, Line]:
        """All lines, or that of one number."""
        own: dict[str, Any] = {} if number is None else {"id": number}
        noted = {} if number is None else {"account": number}
        nodes = self.db.nodes
        accounts, savings = (
            {row["id"]: row["balance"] for row in self._records(node(filter=own))}
            for node in (nodes.AccountListNode, nodes.SavingListNode)
        )
        transfers = Counter(row["account"] for row in self._records(nodes.TransferListNode(filter=noted)))
        assert accounts.keys() == savings.keys()
        return {id: Line(accounts[id], savings[id], transfers[id]) for id in accounts}

    def sagas(self) -> Counter[str]:
        """How many sagas are in each state."""
        sql = "SELECT state, COUNT(*) AS n FROM dataflow_sagas GROUP BY state"
        return Counter({row["state"]: row["n"] for row in self._records(self.db.nodes.SQLNode(sql=sql))})

    def notices(self) -> dict[str, bool]:
        """For each saga that has given notice, whether that is regretted."""
        rows = self._records(self.db.nodes.NoticeListNode())
        return {row["id"].partition(":")[0]: row["is_regretted"] for row in rows}

    def wrong_notices(self) -> list[str]:
        """The sagas that are done without a notice that stands, or are not done though one does."""
        notices, sql = self.notices(), "SELECT id, state FROM dataflow_sagas"
        return [
            f"{row['state']}: {notices.get(row['id'])}"
            for row in self._records(self.db.nodes.SQLNode(sql=sql))
            if (row["state"] == "done") != (notices.get(row["id"]) is False)
        ]

    def unfinished(self) -> list[str]:
        """What is neither done nor undone."""
        states = [f"{count} {state}" for state, count in self.sagas().items() if state not in FINAL]
        return [*states, *self._in_doubt()]

    def _in_doubt(self) -> list[str]:
        """The transactions that are prepared."""
        return [
            branch.gid
            for database in self.db.databases().values()
            for branch in self._run(branches_in_doubt(database))
        ]

    def _records(self, call: Any) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = self.db.run_sync(call)["records"]
        return records

    def _run(self, work: Any) -> Any:
        return run_in_background(work)
