"""What a library takes before it does anything for you: time to import, disk, memory; and memory for a large bulk."""

import importlib.util
import json
import marshal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from pkgutil import resolve_name
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from benchmarks.databases.contract import ClosableStore, StoreOptions
from benchmarks.entries import Entry
from benchmarks.lineup.sqlite import SQLITE
from benchmarks.memory import peak
from benchmarks.subject import SEEDED, row

__all__ = ["LIBRARIES", "OURS", "Footprint", "Library", "measure_footprints", "size_on_disk"]

OURS = "DataFlow"
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Library:
    """A library that can be compared.

    :param module: what must be there for it.
    :param imports: what a program that uses it imports.
    :param packages: what one installs for SQLite, in the language of ``pip install``; of Python's own nothing.
    :param contestant: the name of the one that does the bulk.
    """

    title: str
    module: str
    imports: str
    packages: Sequence[str]
    contestant: str


LIBRARIES = (
    Library("sqlite3", "sqlite3", "import sqlite3", (), "sqlite3"),
    Library(OURS, "dataflow", "import dataflow", ("dataflow-core", "dataflow-sqlite"), "dataflow-runtime"),
    Library(
        "SQLAlchemy Core",
        "sqlalchemy",
        "import sqlalchemy",
        ("sqlalchemy[asyncio]", "aiosqlite"),
        "sqlalchemy-core",
    ),
    Library(
        "SQLAlchemy ORM",
        "sqlalchemy",
        "import sqlalchemy.orm",
        ("sqlalchemy[asyncio]", "aiosqlite"),
        "sqlalchemy-orm",
    ),
    Library("Django", "django", "import django.db.models", ("django",), "django"),
    Library("Peewee", "peewee", "import peewee", ("peewee",), "peewee"),
    Library("Tortoise ORM", "tortoise", "import tortoise.models", ("tortoise-orm",), "tortoise"),
    Library(
        "Piccolo",
        "piccolo",
        "import piccolo.table, piccolo.engine.sqlite",
        ("piccolo[sqlite]",),
        "piccolo",
    ),
)


@dataclass(frozen=True, slots=True)
class Footprint:
    """What was measured of a library; None where it was not.

    :param imports: milliseconds of each import, in processes of their own.
    :param installed: MB on disk, with what it depends on, with bytecode.
    :param import_takes: MiB of memory, at the peak, without those of the bare interpreter.
    :param bulk_adds: MiB by which the peak has risen once so many rows from a generator have been created.
    """

    title: str
    imports: Sequence[float]
    installed: float | None
    import_takes: float
    bulk_adds: float | None


def measure_footprints(
    times: int, bulk_rows: int | None, with_sizes: bool, options: StoreOptions
) -> Sequence[Footprint]:
    """Measure all libraries that are installed here.

    :param times: imports of each, in turns.
    :param bulk_rows: how many rows to create, None for no look at the memory.
    """
    there = [one for one in LIBRARIES if importlib.util.find_spec(one.module) is not None]
    imports: dict[str, list[float]] = {one.title: [] for one in there}
    memory: dict[str, float] = {}
    _, bare = _import("pass")
    for number in range(times + 1):
        for one in Random(number).sample(there, len(there)):
            milliseconds, peak_of_it = _import(one.imports)
            # The first time may compile modules and read a cold disk.
            if number:
                imports[one.title].append(milliseconds)
                memory[one.title] = peak_of_it - bare
    added = {} if bulk_rows is None else _added_by_bulk(there, bulk_rows, options)
    return [
        Footprint(
            one.title,
            imports[one.title],
            size_on_disk(one.packages) / 1e6 if with_sizes else None,
            memory[one.title],
            added.get(one.title),
        )
        for one in there
    ]


def _import(statement: str) -> tuple[float, float]:
    """Milliseconds, and MiB at the peak."""
    code = (
        f"from time import perf_counter\nbegan = perf_counter()\n{statement}\nelapsed = perf_counter() - began\n"
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom benchmarks.memory import peak\nprint(elapsed, peak())"
    )
    output = subprocess.run([sys.executable, "-I", "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    elapsed, memory = map(float, output.stdout.split())
    return 1e3 * elapsed, memory


# -------------------------------------------------------------------------------------------------- disk


def size_on_disk(packages: Sequence[str]) -> int:
    """Bytes of packages and of all that they depend on, with the bytecode that Python makes of it."""
    return sum(_size(one) for one in _with_dependencies(packages))


def _with_dependencies(packages: Sequence[str]) -> Sequence[Distribution]:
    from packaging.requirements import Requirement

    found: dict[str, Distribution] = {}
    todo = [Requirement(package) for package in packages]
    seen: set[tuple[str, str]] = set()
    while todo:
        wanted = todo.pop()
        name = wanted.name.lower().replace("_", "-")
        for extra in ("", *wanted.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            try:
                found[name] = distribution(name)
            except PackageNotFoundError:
                continue
            needed = map(Requirement, found[name].requires or ())
            todo += [one for one in needed if one.marker is None or one.marker.evaluate({"extra": extra})]
    return list(found.values())


def _size(installed: Distribution) -> int:
    return sum(
        file.stat().st_size + (_bytecode(file) if file.suffix == ".py" else 0) for file in _files(installed)
    )


def _files(installed: Distribution) -> Iterator[Path]:
    """Its files without bytecode; of one that is installed editable, its sources."""
    told = installed.read_text("direct_url.json")
    origin = json.loads(told) if told else {}
    if origin.get("dir_info", {}).get("editable"):
        source = Path(url2pathname(urlsplit(origin["url"]).path)) / "src"
        files: Iterator[Path] = source.rglob("*")
    else:
        files = (Path(str(file.locate())) for file in installed.files or ())
    return (file for file in files if "__pycache__" not in file.parts and file.is_file())


@cache
def _bytecode(file: Path) -> int:
    try:
        return 16 + len(marshal.dumps(compile(file.read_bytes(), file.name, "exec", dont_inherit=True)))
    except (SyntaxError, ValueError):
        return 0  # a template, or for another Python


# ------------------------------------------------------------------------------------------------ memory


def _added_by_bulk(libraries: Sequence[Library], rows: int, options: StoreOptions) -> dict[str, float]:
    entries = {entry.name: entry for entry in SQLITE.entries}
    with TemporaryDirectory(prefix="dataflow-bench-") as folder:
        stores = resolve_name(SQLITE.stores)(Path(folder), options)
        found = {
            one.title: _added_by(entries[one.contestant], one.imports, stores.new(one.contestant), rows)
            for one in libraries
        }
    return {title: added for title, added in found.items() if added is not None}


def _added_by(entry: Entry, imports: str, open_store: Callable[[], ClosableStore], rows: int) -> float | None:
    """None where the contestant takes no generator."""
    context = get_context("spawn")
    pipe, other = context.Pipe()
    process = context.Process(target=_work, args=(other, entry.made_by, imports, open_store, rows))
    process.start()
    other.close()
    added: float | None = pipe.recv()
    process.join()
    return added


def _work(
    pipe: Connection, made_by: str, imports: str, open_store: Callable[[], ClosableStore], rows: int
) -> None:
    store = open_store()
    exec(imports, {})
    before = peak()
    contestant = resolve_name(made_by)(store)
    if contestant.takes_a_generator:
        given: Any = (row(number) for number in range(SEEDED + 1, SEEDED + 1 + rows))
        contestant.answer("bulk_create", given)
    pipe.send(peak() - before if contestant.takes_a_generator else None)
    contestant.close()
    store.close()
