"""The examples: what they tell must be so, and they leave no trace."""

import doctest
import hashlib
import os
import pty
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from dataflow import LocalRuntime
from dataflow.errors import ForeignKeyViolation, WorkflowExecutionError
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Provision
from dataflow.url import DatabaseURL

pytest_plugins = ["dataflow.testing.plugin"]

EXAMPLES = Path(__file__).parents[2] / "examples"
CHINOOK = EXAMPLES / "chinook" / "Chinook_Sqlite.sqlite"
AS_PUBLISHED = "7651ba378ac2fcd0dfc3c66fb101f7a7eed3ba39a612ec642b96e20702061f15"

LEONIE = 2
TRACKS = [2819, 3450, 3451]
NO_SUCH_TRACK = 9999


def environment(folder: Path, **more: str) -> Mapping[str, str]:
    """Nothing of the caller's but how to find programs and their bytecode; temporary files can be counted."""
    (folder / "temporary").mkdir(exist_ok=True)
    given = {name: os.environ[name] for name in ("PATH", "PYTHONPYCACHEPREFIX")}
    return {**given, "HOME": str(folder), "TMPDIR": str(folder / "temporary"), **more}


def run(script: Path, folder: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    slow = (
        "--database" in arguments
    )  # in development mode asyncio complains of whatever takes a tenth of a second
    command = [sys.executable, *(() if slow else ("-X", "dev")), "-W", "error", "-B", str(script), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(folder, **more), capture_output=True, encoding="utf-8"
    )


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def chinook(tmp_path: Path) -> Path:
    return Path(shutil.copyfile(CHINOOK, tmp_path / "chinook.sqlite"))


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(EXAMPLES)
    yield import_module("shop")
    del sys.modules["shop"]


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(EXAMPLES)
    yield import_module("copies")
    for name in ("copies", "published"):
        del sys.modules[name]


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(EXAMPLES)
    yield import_module("tables")
    del sys.modules["tables"]


@pytest.fixture(autouse=True)
def _chinook_is_as_published() -> Iterator[None]:
    yield
    assert hashlib.sha256(CHINOOK.read_bytes()).hexdigest() == AS_PUBLISHED
    assert files_in(CHINOOK.parent) == ["Chinook_Sqlite.sqlite", "LICENSE.md"]


# ---------------------------------------------------------------------------------------------- the demo


def test_the_demo_ends_well_and_leaves_nothing(tmp_path: Path) -> None:
    done = run(EXAMPLES / "demo.py", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert files_in(tmp_path) == []
    assert "\033" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    for part in ("flowchart TD", "BEGIN IMMEDIATE", "ForeignKeyViolation", "✓ nothing of the sale stayed"):
        assert part in done.stdout


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the demo keeps, under an odd name, and where nothing but ASCII can be printed."""
    folder = tmp_path_factory.mktemp("demo")
    kept = folder / "what is #1? 100%41.sqlite"
    done = run(EXAMPLES / "demo.py", folder, "--keep", kept.name, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert files_in(folder) == [kept.name]
    return kept


def test_what_the_demo_keeps_is_chinook_and_two_sales(kept: Path) -> None:
    before, after = dump(CHINOOK), dump(kept)
    added = sorted(set(after) - set(before))
    assert not set(before) - set(after)
    assert len(added) == 2 + 6
    assert all(line.startswith(('INSERT INTO "Invoice" ', 'INSERT INTO "InvoiceLine" ')) for line in added)
    invoices = "SELECT InvoiceId, CustomerId, BillingCity, Total FROM Invoice WHERE InvoiceId > 412"
    assert ask(kept, invoices) == [(413, 2, "Stuttgart", 3.97), (414, 2, "Stuttgart", 3.97)]
    lines = "SELECT InvoiceId, TrackId, UnitPrice FROM InvoiceLine WHERE InvoiceId > 412 ORDER BY 1, 2"
    sold = [(2819, 1.99), (3450, 0.99), (3451, 0.99)]
    assert ask(kept, lines) == [(invoice, *line) for invoice in (413, 414) for line in sold]


def test_the_schema_of_the_kept_copy_is_what_it_was(kept: Path) -> None:
    everything = "SELECT * FROM sqlite_master ORDER BY rowid"
    assert ask(kept, everything) == ask(CHINOOK, everything)
    for pragma in ("PRAGMA journal_mode", "PRAGMA user_version", "PRAGMA schema_version"):
        assert ask(kept, pragma) == ask(CHINOOK, pragma)
    assert ask(kept, "PRAGMA foreign_key_check") == []


def test_the_demo_does_not_write_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    done = run(EXAMPLES / "demo.py", tmp_path, "--keep", "precious")
    assert done.returncode == 1
    assert "precious exists" in done.stderr
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_claim_that_does_not_hold_fails_the_demo(tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    shutil.copytree(EXAMPLES, examples, ignore=shutil.ignore_patterns("__pycache__"))
    with closing(sqlite3.connect(examples / "chinook" / "Chinook_Sqlite.sqlite")) as connection:
        connection.execute("UPDATE Track SET UnitPrice = 5 WHERE TrackId = 2819")
        connection.commit()
    done = run(examples / "demo.py", tmp_path)
    assert done.returncode == 1
    assert "does not hold: the total is 6.98" in done.stderr
    assert files_in(tmp_path / "temporary") == []


SERVERS = [
    pytest.param(Postgres(), id="postgres", marks=pytest.mark.postgres),
    pytest.param(MySQL(), id="mysql", marks=pytest.mark.mysql),
]


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, fresh_database: Callable[[Provision], str]) -> str:
    return fresh_database(request.param)


def told(output: str) -> str:
    """What the demo tells, without the SQL of the plan, the times, and what some databases add to an error."""
    before, _, after = re.split("(What a run would do.*?The run)", output, flags=re.DOTALL)
    words = " ".join(f"{before} {after}".split()).replace("InvoiceLine: TrackId: ", "")
    return re.sub(r"in [0-9.]+ ms", "in no time", words)


def test_the_demo_tells_the_same_on_a_server(server: str, tmp_path: Path) -> None:
    here = run(EXAMPLES / "demo.py", tmp_path)
    there = run(EXAMPLES / "demo.py", tmp_path, "--database", server)
    assert (there.returncode, there.stderr) == (0, "")
    assert told(there.stdout) == told(here.stdout)
    assert files_in(tmp_path) == []


def test_a_copy_on_a_server_is_gone_at_the_end_however_that_comes(server: str, copies: ModuleType) -> None:
    birth = 'SELECT "BirthDate" FROM "Employee" WHERE "EmployeeId" = 1'
    with suppress(KeyError), copies.a_copy_of_chinook(server, None) as copy:
        assert copy.ask('SELECT count(*) FROM "PlaylistTrack"') == [(8715,)]
        assert copy.ask(birth) == [(datetime(1962, 2, 18),)]
        assert len(copy.schema()) > 64
        raise KeyError
    with pytest.raises(Exception, match=r"does not exist|Unknown database"):
        copy.ask("SELECT 1")


def test_the_demo_keeps_its_database_on_a_server_and_does_not_write_over_it(
    server: str, copies: ModuleType, tmp_path: Path
) -> None:
    url = DatabaseURL.parse(server)
    name = f"{url.database} #1 'kept'"
    shop = copies.on_server(url)
    try:
        done = run(EXAMPLES / "demo.py", tmp_path, "--database", server, "--keep", name)
        assert (done.returncode, done.stderr) == (0, "")
        assert shop.run(replace(url, database=name), 'SELECT count(*) FROM "Invoice"') == [(414,)]
        again = run(EXAMPLES / "demo.py", tmp_path, "--database", server, "--keep", name)
        assert (again.returncode, again.stdout) == (1, "")
        assert re.match(f"demo: no database {name} can be made at .*exists", again.stderr)
    finally:
        shop.remove(name)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "sqlite:///shop.db",
            "demo: name a server by postgresql:// or mysql://; for SQLite leave the URL out",
        ),
        (
            "postgresql://ann:secret@127.0.0.1:1/shop",
            "can be made at postgresql://ann:***@127.0.0.1:1/shop: ",
        ),
    ],
)
def test_the_demo_refuses_what_is_no_server(url: str, said: str, tmp_path: Path) -> None:
    done = run(EXAMPLES / "demo.py", tmp_path, "--database", url)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_that_want_them(
    tmp_path: Path, more: Mapping[str, str], coloured: bool
) -> None:
    try:
        controller, terminal = pty.openpty()
    except OSError:
        pytest.skip("a terminal is needed, and this system has no pseudo-terminals to give")
    command = [sys.executable, "-c", "from tables import bold; print(bold('DataFlow'))"]
    variables = environment(tmp_path, TERM="xterm", PYTHONPATH=str(EXAMPLES), **more)
    try:
        subprocess.run([*command[:1], "-B", *command[1:]], stdout=terminal, env=variables, check=True)
        shown = os.read(controller, 1000)
    finally:
        os.close(terminal)
        os.close(controller)
    assert (b"\033[1mDataFlow\033[0m" in shown) == coloured
    assert b"DataFlow" in shown


# ---------------------------------------------------------------------------------------------- the shop


def test_a_sale_is_stored_and_told(shop: ModuleType, chinook: Path) -> None:
    threads = threading.active_count()
    with shop.open_shop(f"sqlite:///{chinook}") as db:
        results, _ = LocalRuntime().execute(shop.sale(db, LEONIE, TRACKS).build())
    assert results["bill"]["total"] == Decimal("3.97")
    assert results["bill"]["invoice_id"] == 413
    assert [row["invoice_id"] for row in results["history"]["records"]] == [413, 293, 241, 219, 196]
    assert [line["invoice_id"] for line in results["lines"]["result"]] == [413] * 3
    assert ask(chinook, "SELECT Total FROM Invoice WHERE InvoiceId = 413") == [(3.97,)]
    lines = ask(chinook, "SELECT TrackId, UnitPrice, Quantity FROM InvoiceLine WHERE InvoiceId = 413")
    assert lines == [(2819, 1.99, 1), (3450, 0.99, 1), (3451, 0.99, 1)]
    assert threading.active_count() == threads


def test_a_sale_that_fails_leaves_every_byte_of_the_data(shop: ModuleType, chinook: Path) -> None:
    before = dump(chinook)
    with shop.open_shop(f"sqlite:///{chinook}") as db:
        workflow = shop.sale(db, LEONIE, TRACKS, bonus=NO_SUCH_TRACK).build()
        with pytest.raises(WorkflowExecutionError) as caught:
            LocalRuntime().execute(workflow)
    assert caught.value.node == "lines"
    assert isinstance(caught.value.cause, ForeignKeyViolation)
    assert caught.value.rolled_back == ("invoice",)
    assert str(NO_SUCH_TRACK) not in str(caught.value)
    assert dump(chinook) == before


def test_a_forgiving_sale_goes_on_without_the_bonus(shop: ModuleType, chinook: Path) -> None:
    with shop.open_shop(f"sqlite:///{chinook}") as db:
        workflow = shop.forgiving_sale(db, LEONIE, TRACKS, bonus=NO_SUCH_TRACK).build()
        results, _ = LocalRuntime().execute(workflow)
    assert results["lines"]["error_type"] == "ForeignKeyViolation"
    assert results["apology"]["result"].startswith("Sold without the bonus track: ")
    assert ask(chinook, "SELECT Total FROM Invoice WHERE InvoiceId = 413") == [(3.97,)]
    assert ask(chinook, "SELECT TrackId FROM InvoiceLine WHERE InvoiceId = 413") == [(id,) for id in TRACKS]


def test_a_forgiving_sale_needs_no_forgiveness_when_the_bonus_exists(shop: ModuleType, chinook: Path) -> None:
    with shop.open_shop(f"sqlite:///{chinook}") as db:
        workflow = shop.forgiving_sale(db, LEONIE, TRACKS, bonus=1).build()
        results, _ = LocalRuntime().execute(workflow)
    assert "apology" not in results
    assert "paid_lines" not in results
    assert ask(chinook, "SELECT Total FROM Invoice WHERE InvoiceId = 413") == [(3.97,)]
    assert ask(chinook, "SELECT count(*) FROM InvoiceLine WHERE InvoiceId = 413") == [(4,)]


# ------------------------------------------------------------------------------- tables, and the quick start


def test_the_example_of_the_tables_is_what_they_do(tables: ModuleType) -> None:
    assert doctest.testmod(tables) == (0, 1)


def test_a_table_is_aligned_by_what_is_seen(tables: ModuleType) -> None:
    names = ["Zauberflöte", "Zauberflo\u0308te", "魔笛", "a\nb\033[1m", None, "x" * 60, "魔" * 60]
    lines = tables.table([{"name": name, "price": Decimal("1.50")} for name in names], name="Name", price="€")
    widths = {tables.seen(line) for line in lines.splitlines()}
    assert len(widths) == 1
    assert "\033" not in lines
    assert lines.count("…") == 2


def test_a_table_without_rows_has_its_headings(tables: ModuleType) -> None:
    assert tables.table([], name="Name").splitlines() == ["  Name", "  ────"]


def test_the_quick_start_needs_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    done = run(EXAMPLES / "quickstart.py", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(r"Hello by Ann at \d{4}-\d\d-\d\d ", done.stdout)
    assert files_in(tmp_path) == []
    assert len((EXAMPLES / "quickstart.py").read_text().splitlines()) <= 30
