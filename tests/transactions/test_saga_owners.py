"""Whose sagas are taken up: those of processes of which it is known that they have ended."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dataflow.transactions.owners import has_let_go, holding, me

PROGRAM = "from dataflow.transactions.owners import me; print(me(), flush=True); input()"
SAGA = "0123"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no other system tells enough of a process")


@pytest.fixture
def another() -> Iterator[subprocess.Popen[str]]:
    """A process that tells who it is, and ends when it is told to."""
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


def told(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_process_has_a_saga_until_it_ends(another: subprocess.Popen[str]) -> None:
    owner = told(another)
    assert has_let_go(owner, SAGA) is None
    another.communicate("\n")
    assert has_let_go(owner, SAGA) is True


def test_a_process_that_ended_and_that_nobody_has_looked_after_has_let_go(
    another: subprocess.Popen[str],
) -> None:
    owner = told(another)
    another.kill()
    os.waitid(os.P_PID, another.pid, os.WEXITED | os.WNOWAIT)
    assert has_let_go(owner, SAGA) is True


def test_one_of_the_same_number_that_began_at_another_time_is_another_one() -> None:
    where, start = me().rsplit(":", 1)
    assert has_let_go(f"{where}:{int(start) - 1}", SAGA) is True


@pytest.mark.parametrize("part", [1, 2], ids=["another start of the system", "another container"])
def test_of_a_number_that_means_another_process_nothing_is_known(
    part: int, another: subprocess.Popen[str]
) -> None:
    owner = told(another)
    another.communicate("\n")
    *where, process, start = owner.split(":")
    where[part] = "another"
    assert has_let_go(":".join([*where, process, start]), SAGA) is None


FORK = """
import os, warnings
from dataflow import DataFlow
from dataflow.transactions.owners import me

warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
db = DataFlow()


@db.model
class Order:
    item: str


def order():
    step = {"node": "OrderCreateNode", "compensation": None, "parameters": {"item": "a book"}}
    return db.run_sync(db.nodes.TransactionManagerNode(pattern="saga", steps=[step]))["state"]


mine = me()
print(order(), flush=True)
if not os.fork():
    print(order(), me() != mine, flush=True)
    os._exit(0)
os.wait()
"""


def test_a_process_that_was_forked_is_another_one_and_so_is_what_it_has_in_memory() -> None:
    ran = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines() == ["done", "done True"], ran.stderr


def test_of_what_an_older_version_wrote_nothing_is_known() -> None:
    assert has_let_go("a host:1:2", SAGA) is None


def test_this_process_has_what_it_holds() -> None:
    with holding(SAGA):
        assert has_let_go(me(), SAGA) is False
    assert has_let_go(me(), SAGA) is True
