"""The code examples of the documents that DataFlow grew from: their texts, and a way to run them as they stand.

Each example is a file in ``examples``, word for word, under a header in TOML:

- ``document`` and ``section``: where it comes from;
- ``supplied``: what it takes for granted and the test gives it;
- ``needs``: what it waits for, a package or a part of one; its test, if it has one, must fail until then;
- ``illustrates``: what it is, if it is nothing to be run.
"""

import ast
import re
import tomllib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from textwrap import dedent
from typing import Any

import dataflow
from dataflow import DataFlow, LocalRuntime, WorkflowBuilder

__all__ = ["Example", "Seed", "examples"]

FOLDER = Path(__file__).parent / "examples"
HEADER = re.compile(r"# /// seed\n(?P<toml>(?:# .*\n)+)# ///\n")
IMPORT = re.compile(r"^from kailash[\w.]* import", re.MULTILINE)
URL = re.compile(r'"(?:postgresql|mysql)://[^"]*/(?P<database>\w+)"|"\.\.\."')
DOTS = re.compile(r"\{\.\.\.\}")
PUBLIC = ("DataFlow", "LocalRuntime", "WorkflowBuilder")


@dataclass(frozen=True, slots=True)
class Example:
    """One example: its place in the documents, its text, and what is known of it."""

    number: int
    path: Path
    code: str
    document: str
    section: str
    supplied: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    illustrates: str = ""

    @property
    def name(self) -> str:
        return self.path.stem.partition("_")[2]

    @property
    def state(self) -> str:
        """What comes of it, in words."""
        if self.illustrates:
            return f"not run: {self.illustrates}"
        return f"waits for {', '.join(self.needs)}" if self.needs else "runs"


@cache
def examples() -> Mapping[int, Example]:
    """All examples by their numbers, in order."""
    read = (_read(path) for path in sorted(FOLDER.iterdir()))
    return {example.number: example for example in read}


def _read(path: Path) -> Example:
    text = path.read_text()
    header = HEADER.match(text)
    assert header is not None, f"{path.name} has no header"
    known = tomllib.loads(re.sub(r"^# ", "", header["toml"], flags=re.MULTILINE))
    supplied, needs = (tuple(known.pop(name, ())) for name in ("supplied", "needs"))
    code = text[header.end() :]
    return Example(int(path.stem[:3]), path, code, supplied=supplied, needs=needs, **known)


class Seed:
    """Runs one example, gives it what it takes for granted, and notes what that is.

    :param folder: for the databases in files.
    """

    def __init__(self, example: Example, folder: Path) -> None:
        self.example = example
        self.supplied: set[str] = set()
        self._folder = folder
        self._open = ExitStack()
        self._names: dict[str, Any] = {"__name__": f"seed_{example.number:03d}"}
        self._dots: list[Mapping[str, Any]] = []

    def __enter__(self) -> "Seed":
        return self

    def __exit__(self, *_: object) -> None:
        self._names.clear()
        self._open.close()

    def database(self, *models: type) -> DataFlow:
        """A database with these models, for an example that does not make its own."""
        db = self._open.enter_context(DataFlow("sqlite:///:memory:"))
        for model in models:
            db.model(model)
            self.supplied.add(f"model {model.__name__}")
        return db

    def insert(self, db: DataFlow, model: str, *rows: Mapping[str, Any]) -> None:
        """Rows that must be there before."""
        db.run_sync(getattr(db.nodes, f"{model}BulkCreateNode")(data=list(rows)))
        self.supplied.add(f"rows of {model}")

    def url(self, database: str) -> str:
        """The URL that stands for a database of this name on a server."""
        return f"sqlite:///{self._folder}/{database}.db"

    def fill(self, *parameters: Mapping[str, Any]) -> None:
        """What stands for each ``{...}`` of the example, in their order."""
        self._dots = list(parameters)

    def say(self, *supplied: str) -> None:
        """Note what else was supplied."""
        self.supplied.update(supplied)

    def run(self, **names: object) -> dict[str, Any]:
        """Run the example with these names, and give those that there are at its end."""
        for statement in self.statements(**names):
            statement()
        return self._names

    def statements(self, **names: object) -> list[Callable[[], dict[str, Any]]]:
        """The statements of the example, for a test that does something between them."""
        self._names.update(names)
        self.supplied.update(name for name in names if f"model {name}" not in self.supplied)
        return [partial(self._run, statement) for statement in self._parsed()]

    def execute(self, workflow: WorkflowBuilder) -> dict[str, Any]:
        """Run the workflow of an example that only builds it."""
        self.supplied.add("a run")
        results, _ = LocalRuntime().execute(workflow.build())
        return dict(results)

    def _run(self, statement: ast.stmt) -> dict[str, Any]:
        exec(compile(ast.Module([statement], []), str(self.example.path), "exec"), self._names)
        for value in self._names.values():
            if isinstance(value, DataFlow):
                self._open.callback(value.__exit__, None, None, None)
        return self._names

    def _parsed(self) -> list[ast.stmt]:
        code = self._with_dots(self._with_urls(self._with_imports(dedent(self.example.code))))
        body = ast.parse(code, str(self.example.path)).body
        bound = {alias.name for one in body if isinstance(one, ast.ImportFrom) for alias in one.names}
        used = {node.id for one in body for node in ast.walk(one) if isinstance(node, ast.Name)}
        for name in used.intersection(PUBLIC) - bound:
            self._names[name] = getattr(dataflow, name)
            self.supplied.add("the imports")
        return body

    def _with_imports(self, code: str) -> str:
        return self._noted("the imports", IMPORT, "from dataflow import", code)

    def _with_urls(self, code: str) -> str:
        if "a URL" not in self.example.supplied:
            return code
        return self._noted("a URL", URL, lambda found: repr(self.url(found["database"] or "it")), code)

    def _with_dots(self, code: str) -> str:
        if not self._dots:
            return code
        dots = iter(self._dots)
        return self._noted("parameters for {...}", DOTS, lambda found: repr(next(dots)), code)

    def _noted(
        self, what: str, pattern: re.Pattern[str], new: str | Callable[[re.Match[str]], str], code: str
    ) -> str:
        changed, count = pattern.subn(new, code)
        if count:
            self.supplied.add(what)
        return changed
