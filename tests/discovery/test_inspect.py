"""``dataflow inspect``: a database becomes tables to read, JSON, a diagram, and Python that makes the same schema."""

import asyncio
import json
import os
import re
import runpy
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.cli import main
from dataflow.url import DatabaseURL

from .databases import SQLITE, Existing, empty
from .test_chinook import CLASSES

GENERATED = Path(__file__).parent / "generated"
SECRET = "gehe!m"
Inspect = Callable[..., str]

LENGTHS = (10, 20, 24, 30, 40, 60, 70, 80, 120, 160, 200, 220)
NUMBERED = ("identity", None, "by default")
ALLOWED = {
    "sqlite": {
        ("type", "NUMERIC(10,2)", "DECIMAL TEXT"),
        ("type", "DATETIME", "TEXT"),
        ("python", "object", "str"),
        *(("type", f"NVARCHAR({length})", "TEXT") for length in LENGTHS),
    },
    "postgres": {
        NUMBERED,
        ("type", "integer", "bigint"),
        *(
            (part, *pair)
            for length in LENGTHS
            for part, pair in (
                ("type", (f"character varying({length})", "text")),
                ("max_length", (length, None)),
            )
        ),
        ("type", "numeric(10,2)", "numeric"),
        ("type", "timestamp without time zone", "timestamp with time zone"),
    },
    "mysql": {
        NUMBERED,
        ("type", "int", "bigint"),
        ("type", "decimal(10,2)", "decimal(65,30)"),
        ("type", "datetime", "datetime(6)"),
    },
}
"""What may be otherwise in tables that the models made: (what of a column, in Chinook, as it is made)."""


@pytest.fixture
def inspected(music: Existing, capsys: pytest.CaptureFixture[str]) -> Inspect:
    def inspect(*options: str) -> str:
        assert main(["inspect", music.url, *options]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return inspect


def differences(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """What differs between the columns of two schemas; all else must be the same."""
    assert before.keys() == after.keys()
    for table, shape in before.items():
        made = after[table]
        assert shape["columns"].keys() == made["columns"].keys()
        assert all(shape[part] == made[part] for part in ("kind", "schema", "primary_key", "traits"))
        assert references(shape) == references(made)
        assert indexes(shape) == indexes(made)
        for name, column in shape["columns"].items():
            for attribute, value in column.items():
                other = made["columns"][name][attribute]
                if other != value:
                    yield attribute, without_width(value), without_width(other)


def without_width(value: Any) -> Any:
    """The type of an integer without the width that MariaDB writes, and which says nothing of its values."""
    return re.sub(r"^(int|bigint)\(\d+\)$", r"\1", value) if isinstance(value, str) else value


def references(shape: dict[str, Any]) -> list[Any]:
    return sorted(
        (one["columns"], one["references"]["table"], one["references"]["columns"], one["on_delete"])
        for one in shape["foreign_keys"]
    )


def indexes(shape: dict[str, Any]) -> list[Any]:
    return sorted(
        (one["name"], one["columns"], one["unique"], one["where"] or "")
        for one in shape["indexes"]
        if one["columns"] != shape["primary_key"]
    )


def schema_of(url: str) -> dict[str, Any]:
    with DataFlow(url, existing_schema_mode=True) as db:
        return db.discover_schema()


def test_the_classes_are_those_that_are_type_checked(inspected: Inspect, music: Existing) -> None:
    source = re.sub(r"in \S+, written", "in chinook, written", inspected("--python"), count=1)
    assert source == (GENERATED / f"chinook_{music.kind.name}.py").read_text()


def test_the_classes_make_the_same_schema_in_an_empty_database(
    inspected: Inspect,
    music: Existing,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = tmp_path / "models.py"
    module.write_text(inspected("--python").replace("(existing_schema_mode=True)", "()"))
    with empty(music.kind, request) as fresh:
        monkeypatch.setenv("DATAFLOW_DATABASE_URL", fresh.url)
        asyncio.run(started(runpy.run_path(str(module))["db"]))
        assert set(differences(schema_of(music.url), schema_of(fresh.url))) == ALLOWED[music.kind.name]


async def started(db: DataFlow) -> None:
    async with db:
        pass


def test_json_is_what_discover_schema_gives_and_the_models(inspected: Inspect, music: Existing) -> None:
    schema = json.loads(inspected("--json"))
    models = {table: (shape.pop("model"), shape.pop("problem")) for table, shape in schema.items()}
    assert schema == schema_of(music.url)
    assert sorted(models.values()) == [(name, None) for name in CLASSES]


def test_the_diagram_has_every_table_and_every_relation(inspected: Inspect) -> None:
    lines = inspected("--mermaid").casefold().replace("_", "").splitlines()
    assert lines[0] == "erdiagram"
    assert sum(line.endswith("{") for line in lines) == 11
    assert [line.strip() for line in lines if " : " in line and "employee" in line] == [
        '"employee" |o--o{ "customer" : "supportrepid"',
        '"employee" |o--o{ "employee" : "reportsto"',
    ]
    assert sum(" : " in line for line in lines) == 11


def test_without_an_option_the_tables_are_told_to_people(inspected: Inspect, music: Existing) -> None:
    out = inspected().casefold().replace("_", "")
    assert f"11 tables, 0 views, 11 relations, 11 models in {DatabaseURL.parse(music.url)}".casefold() in (
        inspected().casefold()
    )
    assert "model mediatype" in out
    assert re.search(r"\n  artistid +int\S* +int  -> artist \(artistid\)\n", out)


def test_the_database_is_only_read(inspected: Inspect, music: Existing) -> None:
    before = dump(music)
    for option in ((), ("--python",), ("--json",), ("--mermaid",)):
        inspected(*option)
    assert dump(music) == before


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_file_is_looked_at_without_a_change_to_it(
    mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shop.db"
    url = f"sqlite:///{file}"
    SQLITE.ask(url, "CREATE TABLE users (id INTEGER PRIMARY KEY)")
    with closing(sqlite3.connect(file)) as raw:
        raw.execute(f"PRAGMA journal_mode = {mode}")
    before = file.read_bytes()
    file.chmod(0o444)
    assert main(["inspect", url]) == 0
    assert "model User" in capsys.readouterr().out
    assert file.read_bytes() == before


@pytest.mark.parametrize("option", ["", "?mode=rwc"])
def test_a_file_that_waits_for_its_checkpoint_keeps_waiting(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who closes the last connection that may write carries the log over into the file."""
    url = f"sqlite:///{tmp_path}/shop.db"
    left = "import os, sqlite3\nraw = sqlite3.connect('shop.db')\nraw.execute('PRAGMA journal_mode = WAL')\n"
    left += "raw.execute('CREATE TABLE users (id INTEGER PRIMARY KEY)')\nraw.commit()\nos._exit(0)"
    subprocess.run([sys.executable, "-c", left], cwd=tmp_path, check=True)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if not file.name.endswith("-shm")}
    assert len(before) == 2
    assert main(["inspect", url + option]) == 0
    assert "model User" in capsys.readouterr().out
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def dump(music: Existing) -> object:
    """The schema by the driver alone; of SQLite the whole file."""
    if music.kind.name == "sqlite":
        folder = Path(music.url.removeprefix("sqlite:///")).parent
        return {file.name: file.read_bytes() for file in folder.iterdir()}
    place = "current_schema()" if music.kind.name == "postgres" else "database()"
    return [
        music.ask(
            f"SELECT * FROM information_schema.{view} WHERE {column} = {place} ORDER BY {order}",
        )
        for view, column, order in (
            ("columns", "table_schema", "table_name, ordinal_position"),
            ("table_constraints", "constraint_schema", "table_name, constraint_name"),
        )
    ]


ODD = (
    'CREATE TABLE "2fa codes" ("class" INTEGER NOT NULL, "date" DATE TEXT, "First Name" TEXT DEFAULT \'it\'\'s\','
    ' int INTEGER CHECK (int > 0), "due" DATE TEXT, twice AS (int * 2), PRIMARY KEY ("First Name", "class"))',
    'CREATE TABLE fields (number INTEGER PRIMARY KEY, id INTEGER NOT NULL, "a.b" JSON TEXT,'
    " paid BOOLEAN DEFAULT 0, price NUMERIC DEFAULT 1.5,"
    " made TEXT DEFAULT (lower('X')), name TEXT, code INTEGER, blank,"
    ' FOREIGN KEY (name, code) REFERENCES "2fa codes" ("First Name", "class"))',
    "CREATE UNIQUE INDEX few ON fields (code) WHERE paid",
    "CREATE INDEX down ON fields (code DESC, price)",
    "CREATE VIEW prices AS SELECT price FROM fields",
    "CREATE TABLE pairs (a INTEGER NOT NULL, b INTEGER NOT NULL, PRIMARY KEY (a, b))",
    "CREATE INDEX turned ON pairs (b, a)",
    "CREATE TABLE log (line TEXT)",
)


def test_what_a_model_has_no_words_for_stands_in_comments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/odd.db"
    SQLITE.ask(url, *ODD)
    assert main(["inspect", url, "--python"]) == 0
    source = capsys.readouterr().out.replace(str(tmp_path), "")
    assert source == (GENERATED / "odd.py").read_text()


def test_classes_of_odd_tables_make_them_in_an_empty_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, url, fresh = (
        tmp_path / "models.py",
        f"sqlite:///{tmp_path}/odd.db",
        f"sqlite:///{tmp_path}/new.db",
    )
    SQLITE.ask(url, *ODD)
    module.write_text((GENERATED / "odd.py").read_text().replace("(existing_schema_mode=True)", "()"))
    monkeypatch.setenv("DATAFLOW_DATABASE_URL", fresh)
    asyncio.run(started(runpy.run_path(str(module))["db"]))
    before, after = schema_of(url), schema_of(fresh)
    assert before.keys() - after.keys() == {"log", "prices"}
    for table, left_out in (("2fa codes", {"twice"}), ("fields", {"blank"}), ("pairs", set[str]())):
        assert before[table]["columns"].keys() - after[table]["columns"].keys() == left_out
        assert before[table]["primary_key"] == after[table]["primary_key"]
        made = {index["name"] for index in after[table]["indexes"]}
        assert {index["name"] for index in before[table]["indexes"]} - made <= {"few"}


def test_a_text_of_the_database_cannot_become_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/hostile.db"
    text = 'x"""\nimport os; os.environ["TAKEN"] = "1"\n"""'
    name, quoted = text.replace('"', '""'), text.replace("'", "''")
    SQLITE.ask(
        url,
        f'CREATE TABLE "{name}" (id INTEGER PRIMARY KEY, "{name}" TEXT DEFAULT \'{quoted}\','
        f" CHECK (id <> '{quoted}'))",
        f'CREATE VIEW "view{name}" AS SELECT 1',
    )
    assert main(["inspect", url, "--python"]) == 0
    module = tmp_path / "models.py"
    module.write_text(capsys.readouterr().out)
    monkeypatch.delenv("TAKEN", raising=False)
    with runpy.run_path(str(module))["db"] as db:
        [name] = db.list_models()
        [column] = [field.column for field in db.databases()["primary"].models[name].fields.values()][1:]
    assert (column, "TAKEN" in os.environ) == (text, False)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            f"postgresql://ann:{SECRET}@127.0.0.1:1/shop",
            "postgresql://ann:***@127.0.0.1:1/shop: the server cannot be",
        ),
        (
            f"mysql://ann:{SECRET}@127.0.0.1:1/shop",
            "mysql://ann:***@127.0.0.1:1/shop: the server cannot be reached",
        ),
        (f"nosuch://ann:{SECRET}@127.0.0.1/shop", "needs a plugin that is not installed"),
        (f"ann:{SECRET}@127.0.0.1/shop", "has no scheme"),
        ("sqlite:///{folder}/none.db", "none.db: the file cannot be opened: check that it is there"),
        ("sqlite:///{folder}/text.db", "text.db: the file is not an SQLite database"),
        ("sqlite:///{folder}/empty.db", "there are no tables in sqlite:///"),
    ],
)
def test_what_is_wrong_is_a_sentence_without_the_password(
    url: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.db").write_text("This is a text, and it is long enough to be seen for one. " * 20)
    (tmp_path / "empty.db").touch()
    assert main(["inspect", url.replace("{folder}", str(tmp_path))]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert told in err
    assert SECRET not in err
    assert not (tmp_path / "none.db").exists()


def test_the_url_may_come_from_the_environment(
    music: Existing, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("DATAFLOW_DATABASE_URL", raising=False)
    assert main(["inspect"]) == 1
    assert "DATAFLOW_DATABASE_URL" in capsys.readouterr().err
    monkeypatch.setenv("DATAFLOW_DATABASE_URL", music.url)
    assert main(["inspect"]) == 0


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/wide.db"
    SQLITE.ask(url, *(f"CREATE TABLE t{number} (a, b, c)" for number in range(2000)))
    command = [
        sys.executable,
        "-c",
        "from dataflow.cli import main; raise SystemExit(main())",
        "inspect",
        url,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
