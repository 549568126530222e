"""The documentation keeps its word: its code runs, its commands and links exist, and it leaves no public name out.

A page is run from top to bottom in one namespace and in an empty folder, save for Chinook where it is spoken of.
A comment above a block says more of it:

- ``<!-- raises: WorkflowBuildError -->`` the Python below ends with this error;
- ``<!-- file: plugin.py -->`` the Python below is a file of this name and not run by itself;
- ``<!-- output -->`` the text below is what the block before it prints (``...`` stands for anything).
"""

import contextlib
import doctest
import gc
import gzip
import inspect
import io
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import dataflow
from dataflow import cli, errors, hookspecs
from dataflow.capabilities import Capability
from dataflow.testing import Conformance

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("packages/*/README.md")),
]
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?!\w+:)(?P<path>[^)#\s]*)(?:#(?P<heading>[^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CHINOOK = "chinook.db"
SAME = doctest.OutputChecker()

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


class Block(NamedTuple):
    """A block of code with its language, the comment above it, and its first line in the page."""

    mark: str
    language: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    content = page.read_text()
    for match in BLOCK.finditer(content):
        line = content.count("\n", 0, match.start("text")) + 1
        yield Block(match["mark"] or "", match["language"], match["text"], line)


def prose(page: Path) -> str:
    """A page without its code."""
    return BLOCK.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    return {
        re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in HEADING.findall(prose(page))
    }


@every_page
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for variable in [name for name in os.environ if name.startswith(("DATAFLOW_", "DATABASE_URL"))]:
        monkeypatch.delenv(variable)
    if CHINOOK in page.read_text():
        packed = ROOT / "tests/discovery/chinook/chinook_sqlite.sqlite.gz"
        Path(CHINOOK).write_bytes(gzip.decompress(packed.read_bytes()))
    namespace: dict[str, Any] = {"__name__": page.stem}
    printed = ""
    for block in blocks(page):
        if block.mark == "output":
            agrees = SAME.check_output(block.text, printed, doctest.ELLIPSIS)
            assert agrees, f"{page.name}:{block.line} shows other output than this:\n{printed}"
        elif block.mark.startswith("file: "):
            Path(block.mark.removeprefix("file: ")).write_text(block.text)
        elif block.language == "python":
            printed = run(block, page, namespace)
        else:
            assert not block.mark, f"{page.name}:{block.line}: {block.mark!r} says nothing about such a block"
    namespace.clear()
    gc.collect()


def run(block: Block, page: Path, namespace: dict[str, Any]) -> str:
    """Run a block and return what it printed, with the error that it was to end with."""
    # Empty lines before it, so that a traceback names the line of the page.
    code = compile("\n" * (block.line - 1) + block.text, page, "exec")
    expected = block.mark.removeprefix("raises: ") if block.mark else None
    with contextlib.redirect_stdout(io.StringIO()) as output:
        try:
            exec(code, namespace)
        except Exception as error:
            if type(error).__name__ != expected:
                raise
            return f"{output.getvalue()}{expected}: {error}\n"
    assert expected is None, f"{page.name}:{block.line} should end with {expected}"
    return output.getvalue()


@every_page
def test_the_commands_of_a_page_exist(page: Path) -> None:
    lines = [
        line for block in blocks(page) if block.language in ("bash", "sh") for line in block.text.splitlines()
    ]
    for line in lines:
        words = line.split("#")[0].split()
        if words[:1] == ["./dev"]:
            assert words[1:2] == [] or words[1] in commands_of_dev(), line
        elif words[:1] == ["dataflow"]:
            with pytest.raises(SystemExit, match=r"^0$"), contextlib.redirect_stdout(io.StringIO()):
                cli.main([words[1], "--help"])
        else:
            assert words[:1] in ([], ["pip"], ["export"], ["cd"], ["git"], ["copier"]), line


@cache
def commands_of_dev() -> set[str]:
    shown = subprocess.run(
        [sys.executable, ROOT / "tools/dev.py", "help"], capture_output=True, text=True, check=True
    )
    return set(re.findall(r"^  (\w+)", shown.stdout, re.MULTILINE))


@every_page
def test_the_data_of_a_page_can_be_read(page: Path) -> None:
    for block in blocks(page):
        if block.language == "toml":
            tomllib.loads(block.text)


@every_page
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for link in LINK.finditer(prose(page)):
        target = (page.parent / link["path"]).resolve() if link["path"] else page
        assert target.exists(), f"{page.name}: {link[0]}"
        if link["heading"]:
            assert link["heading"] in anchors(target), f"{page.name}: {link[0]}"


def test_every_page_is_listed_in_the_index() -> None:
    index = (ROOT / "docs/index.md").read_text()
    assert [page.name for page in PAGES if page.parent.name == "docs" and f"({page.name})" not in index] == [
        "index.md"
    ]


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text()
    pages = [page.name for page in PAGES if page.parent.name == "docs"]
    assert [name for name in pages if f"(docs/{name})" not in readme] == ["index.md"]


def test_every_hook_is_documented_with_its_arguments() -> None:
    documented = re.findall(
        r"^## `?(dataflow_\w+\(.*\))`?$", (ROOT / "docs/hooks.md").read_text(), re.MULTILINE
    )
    specified = [
        f"{name}({', '.join(inspect.signature(hook).parameters)})"
        for name, hook in vars(hookspecs).items()
        if name.startswith("dataflow_")
    ]
    assert sorted(documented) == sorted(specified)


def test_every_public_name_is_documented() -> None:
    text = "".join(page.read_text() for page in PAGES)
    assert [name for name in dataflow.__all__ if not re.search(rf"\b{name}\b", text)] == []


def test_the_tree_of_errors_is_the_one_in_the_code() -> None:
    path: list[str] = []
    shown = {}
    for indent, name in re.findall(r"^([ │├└─]*)(\w+)$", (ROOT / "docs/errors.md").read_text(), re.MULTILINE):
        path[len(indent) // 4 :] = [name]
        shown[name] = path[-2] if len(path) > 1 else "Exception"
    classes = [value for value in vars(errors).values() if inspect.isclass(value)]
    assert shown == {one.__name__: one.__mro__[1].__name__ for one in classes if issubclass(one, Exception)}


def test_every_capability_is_documented() -> None:
    page = (ROOT / "docs/testing-a-dialect.md").read_text()
    assert [capability.name for capability in Capability if f"`{capability.name}`" not in page] == []


def test_the_topics_of_the_suite_that_a_page_names_exist() -> None:
    named = {name for page in PAGES for name in re.findall(r"`(\w+Tests)`", page.read_text())}
    assert named
    assert named - {topic.__name__ for topic in Conformance.__mro__} == set()


def test_every_error_is_documented() -> None:
    text = (ROOT / "docs/errors.md").read_text()
    classes = [
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    ]
    assert [name for name in classes if f"`{name}`" not in text] == []
