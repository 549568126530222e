"""The commands, on what was prepared and is in doubt."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflow import DataFlow
from dataflow.cli import main

from .pairs import sites

MODULE = """
from dataflow import DataFlow, LocalRuntime, WorkflowBuilder

db = DataFlow({one!r}, books_db={two!r})


@db.model
class Giver:
    balance: int = 100


@db.model
class Taker:
    balance: int = 0
    __dataflow__ = {{"database": "books"}}


def move():
    with db:
        db.run_sync(db.nodes.GiverCreateNode())
        db.run_sync(db.nodes.TakerCreateNode())
        workflow = WorkflowBuilder(db)
        workflow.add_node("TransactionManagerNode", "together")
        workflow.add_node("GiverUpdateNode", "take", {{"id": 1, "updates": {{"$inc": {{"balance": -10}}}}}})
        workflow.add_node("TakerUpdateNode", "give", {{"id": 1, "updates": {{"$inc": {{"balance": 10}}}}}})
        LocalRuntime().execute(workflow.build())


def balances():
    with db:
        return (
            db.run_sync(db.nodes.GiverReadNode(id=1))["balance"],
            db.run_sync(db.nodes.TakerReadNode(id=1))["balance"],
        )
"""
pytestmark = pytest.mark.postgres


class Shop:
    """A program with two databases, and the commands on them.

    :param home: the URL of the one that decides.
    :param books: that of the other one.
    """

    def __init__(self, home: str, books: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._home = home
        self.books = books
        self._folder = folder
        self._capsys = capsys

    def run(self, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", f"import shop; print({text})"],
            cwd=self._folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )

    def die(self, point: str) -> None:
        done = self.run("shop.move()", DATAFLOW_CRASH_AT=f"two_phase.{point}")
        assert done.returncode == -9, done.stdout + done.stderr

    def decisions(self) -> list[tuple[str, str]]:
        """What home has decided."""
        with DataFlow(self._home, auto_migrate=False) as db:
            found = db.run_sync(db.nodes.SQLNode(sql="SELECT id, state FROM dataflow_decisions"))
            return [(row["id"], row["state"]) for row in found["records"]]

    def told(self, *words: str) -> tuple[int, str]:
        """The exit status of a command and what it prints."""
        sys.modules.pop("shop", None)
        self._capsys.readouterr()
        status = main(["transactions", *words])
        out, err = self._capsys.readouterr()
        return status, out + err


@pytest.fixture
def shop(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Shop]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    with sites(("sqlite", "postgres"), request) as (one, two):
        (tmp_path / "shop.py").write_text(MODULE.format(one=one, two=two))
        yield Shop(one, two, tmp_path, capsys)
        sys.modules.pop("shop", None)


def test_what_is_in_doubt_is_listed_and_recovered(shop: Shop) -> None:
    shop.die("commit.before_branch")
    status, out = shop.told("list", "shop:db", "--older-than", "0")
    assert status == 1
    gid, state = out.split("  ")[:2]
    assert gid.startswith("df:")
    assert state == "in doubt"
    status, out = shop.told("list", "shop:db", "--older-than", "600")
    assert (status, gid in out) == (0, True)
    status, out = shop.told("recover", "shop:db", "--older-than", "600")
    assert (status, "it may still be under way" in out) == (1, True)
    status, out = shop.told("recover", "shop:db", "--older-than", "0")
    assert (status, out.split("  ")[:2]) == (0, [gid, "committed"])
    assert shop.told("list", "shop:db") == (0, "everything has come to its end\n")
    assert shop.run("shop.balances()").stdout == "(90, 10)\n"


@pytest.mark.parametrize(
    ("point", "verdict", "balances"),
    [("commit.before_branch", "--commit", (90, 10)), ("decision.before_row", "--abort", (100, 0))],
)
def test_a_person_may_end_it_as_its_home_has_decided(
    shop: Shop, point: str, verdict: str, balances: tuple[int, int]
) -> None:
    shop.die(point)
    gid = shop.told("list", "shop:db")[1].split("  ")[0]
    other = {"--commit": "--abort", "--abort": "--commit"}[verdict]
    status, out = shop.told("resolve", "shop:db", gid, other)
    assert (status, f"({verdict})" in out) == (1, True)
    assert gid in shop.told("list", "shop:db")[1]
    assert shop.told("resolve", "shop:db", gid, verdict)[0] == 0
    assert shop.told("list", "shop:db") == (0, "everything has come to its end\n")
    assert shop.run("shop.balances()").stdout == f"{balances}\n"
    status, out = shop.told("resolve", "shop:db", gid, verdict)
    assert (status, "no transaction in doubt of this name" in out) == (1, True)


def test_who_rolls_it_back_sees_to_it_that_its_home_decides_nothing_else(shop: Shop) -> None:
    shop.die("decision.before_row")
    gid = shop.told("list", "shop:db")[1].split("  ")[0]
    assert shop.told("resolve", "shop:db", gid, "--abort")[0] == 0
    assert shop.decisions() == [(gid.rpartition(":")[0], "abort")]


@pytest.mark.parametrize(("verdict", "taken"), [("--commit", 10), ("--abort", 0)])
def test_where_its_home_is_gone_a_person_ends_it_alone(shop: Shop, verdict: str, taken: int) -> None:
    shop.die("decision.before_row")
    gid = shop.told("list", "shop:db")[1].split("  ")[0]
    status, out = shop.told("resolve", shop.books, gid, verdict)
    assert (status, "was not there to be asked" in out) == (0, True)
    assert shop.told("list", "shop:db") == (0, "everything has come to its end\n")
    assert shop.run("shop.balances()").stdout == f"(100, {taken})\n"
