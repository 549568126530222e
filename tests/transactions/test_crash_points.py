"""The places at which tests let a process die: all of them are listed, and each is in one place of the code."""

import ast
from collections import Counter
from pathlib import Path

import dataflow.transactions.crash
from dataflow.transactions.crash import POINTS

FOLDER = Path(dataflow.transactions.crash.__file__).parent


def named_in(module: Path) -> list[str]:
    """The texts in the calls of ``crash_point``; two where a condition chooses."""
    calls = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)]
    return [
        part.value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "crash_point"
        for part in ast.walk(call)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]


def test_each_point_is_listed_and_stands_in_one_place() -> None:
    named = Counter(name for module in FOLDER.glob("*.py") for name in named_in(module))
    assert set(named) == set(POINTS)
    assert set(named.values()) == {1}
