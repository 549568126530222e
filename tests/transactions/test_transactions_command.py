"""The commands that look after what has not come to its end."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.cli import main
from dataflow.errors import WorkflowExecutionError

MODULE = """
from pathlib import Path

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder

db = DataFlow("sqlite:///bank.db")


@db.model
class Account:
    owner: str


@db.node
def charge() -> dict:
    return {"receipt": 7}


@db.node
def refund(receipt: int) -> None:
    if not Path('open').exists():
        raise ValueError("the bank is closed")


steps = [
    {"node": "AccountCreateNode", "compensation": "AccountDeleteNode", "parameters": {"owner": "Ann"}},
    {"node": "charge", "compensation": "refund"},
    {"id": "missing", "node": "AccountUpdateNode", "compensation": None, "parameters": {"id": 9, "owner": "Bob"}},
]
workflow = WorkflowBuilder(db)
workflow.add_node("TransactionManagerNode", "pay", {"pattern": "saga", "steps": steps})


def pay():
    LocalRuntime().execute(workflow.build())
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The module of a program whose saga needs attention."""
    (tmp_path / "shop.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    shop: Any = import_module("shop")

    with pytest.raises(WorkflowExecutionError, match="could not all be undone"):
        shop.pay()
    with shop.db:
        return "shop:db"


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit status of a command and what it prints; each imports the module anew."""
    sys.modules.pop("shop", None)
    capsys.readouterr()
    status = main(["transactions", *words])
    out, err = capsys.readouterr()
    return status, out + err


def test_what_needs_attention_is_listed_tried_again_and_recovered(
    shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out = told(capsys, "list", shop)
    assert status == 1
    assert "needs_attention" in out
    assert "step 'charge' could not be undone: ValueError" in out
    assert "closed" not in out
    saga = out.split()[0]
    assert told(capsys, "recover", shop) == (0, "there is nothing to recover\n")
    assert "waits for recovery" in told(capsys, "resolve", shop, saga, "--retry")[1]
    Path("open").touch()
    status, out = told(capsys, "recover", shop)
    assert (status, out.split()[:2]) == (0, [saga, "compensated"])
    assert told(capsys, "list", shop) == (0, "everything has come to its end\n")
    with DataFlow("sqlite:///bank.db") as db:
        assert db.run_sync(db.nodes.SQLNode(sql="SELECT count(*) AS n FROM accounts"))["records"] == [
            {"n": 0}
        ]


def test_a_person_may_say_that_it_is_done(shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    saga = told(capsys, "list", shop)[1].split()[0]
    assert "is compensated" in told(capsys, "resolve", shop, saga, "--done")[1]
    assert told(capsys, "list", shop)[0] == 0
    status, out = told(capsys, "resolve", shop, saga, "--done")
    assert (status, "the saga is compensated; only one that needs attention is resolved" in out) == (1, True)


def test_a_url_is_enough_to_list(shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "needs_attention" in told(capsys, "list", "sqlite:///bank.db")[1]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("list", "shop:database"), "shop has no DataFlow object 'database'"),
        (("list", "no_such_module:db"), "no_such_module cannot be imported"),
        (("resolve", "shop:db", "0123", "--retry"), "there is no saga of this name"),
        (("resolve", "shop:db", "df:1:2:3", "--abort"), "there is no transaction in doubt of this name"),
    ],
)
def test_what_makes_no_sense_is_told(
    shop: str, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], problem: str
) -> None:
    status, out = told(capsys, *words)
    assert status == 1
    assert problem in out


def test_a_database_without_sagas_has_nothing_to_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, "list", f"sqlite:///{tmp_path}/new.db") == (0, "everything has come to its end\n")
    with DataFlow(f"sqlite:///{tmp_path}/new.db") as db:
        assert db.list_models() == []
        tables = db.run_sync(db.nodes.SQLNode(sql="SELECT name FROM sqlite_master"))
        assert tables["records"] == []
