"""The tree of errors: one root, words that help, nothing that tells a value."""

import inspect
import pickle
import re

import pytest

from dataflow import errors
from dataflow.errors import (
    ConfigurationError,
    DatabaseError,
    DataFlowError,
    IntegrityError,
    MissingPlugin,
    ScopeLost,
    UniqueViolation,
    UnknownName,
    UnknownOption,
    ValidationError,
    WorkflowBuildError,
    WorkflowExecutionError,
    nearest,
)

CLASSES = [
    value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)
]


def test_every_error_stands_in_the_tree_and_is_exported() -> None:
    assert all(issubclass(cls, DataFlowError) for cls in CLASSES)
    assert {cls.__name__ for cls in CLASSES} | {"nearest"} == set(errors.__all__)
    assert all(cls.__doc__ for cls in CLASSES)


def test_the_picture_of_the_tree_is_the_tree() -> None:
    assert errors.__doc__ is not None
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in errors.__doc__.splitlines():
        found = re.match(r"(    [│├└─ ]*)(\w+)(?:\s+\(.*\))?$", line)
        if found:
            depth = (len(found[1]) - 4) // 4
            path[depth:] = [found[2]]
            drawn[found[2]] = path[depth - 1] if depth else "Exception"
    assert drawn == {cls.__name__: cls.__bases__[0].__name__ for cls in CLASSES}


@pytest.mark.parametrize(
    ("name", "candidates", "hint"),
    [
        ("emial", ["name", "email"], "; did you mean 'email'?"),
        ("EMAIL", ["name", "email"], "; did you mean 'email'?"),
        ("poolsize", ["pool_size", "pool_timeout"], "; did you mean 'pool_size'?"),
        ("$gtt", ["$gt", "$gte"], "; did you mean"),
        ("xyz", ["name"], ""),
        ("x", [], ""),
        ("", ["name"], ""),
    ],
)
def test_the_nearest_name_is_suggested_where_one_is_near(name: str, candidates: list[str], hint: str) -> None:
    suggestion = nearest(name, candidates)
    assert suggestion.startswith(hint)
    assert bool(suggestion) == bool(hint)


def test_errors_keep_what_they_are_about() -> None:
    assert (UnknownName("field", "nme", "User", ["name"]).kind, UnknownOption("a", []).name) == ("field", "a")
    violation = UniqueViolation("taken", "users", ["a", "b"])
    assert (violation.table, violation.columns) == ("users", ("a", "b"))
    assert MissingPlugin("mysql://", "dataflow-mysql").distribution == "dataflow-mysql"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UnknownName("field", "nme", "User", ["name"]), "User has no field 'nme'; did you mean 'name'?"),
        (UnknownOption("pool", ["pools"]), "unknown option 'pool'; did you mean 'pools'?"),
        (
            MissingPlugin("mysql://", "dataflow-mysql"),
            "mysql:// needs a plugin that is not installed; try: pip install dataflow-mysql",
        ),
        (MissingPlugin("odd://", reason="; off"), "odd:// needs a plugin that is not installed; off"),
        (WorkflowBuildError(["a is wrong"]), "the workflow has 1 problem:\n  - a is wrong"),
        (WorkflowBuildError(["a", "b"]), "the workflow has 2 problems:\n  - a\n  - b"),
        (
            WorkflowExecutionError("pay", DatabaseError("no"), {}, ["a", "b"]),
            "node 'pay' failed: DatabaseError: no; rolled back: a, b",
        ),
        (
            WorkflowExecutionError(None, DatabaseError("no"), {}, []),
            "the run failed: DatabaseError: no; nothing of it was kept",
        ),
    ],
)
def test_messages_say_what_to_do(error: DataFlowError, message: str) -> None:
    assert str(error) == message


def test_kinds_can_be_caught_together() -> None:
    assert issubclass(MissingPlugin, ConfigurationError)
    assert issubclass(UnknownName, ValidationError)
    assert issubclass(UniqueViolation, IntegrityError)
    assert issubclass(ScopeLost, DatabaseError)


@pytest.mark.parametrize(
    "error",
    [
        UnknownName("field", "nme", "User", ["name"]),
        UnknownOption("pool", ["pools"]),
        MissingPlugin("mysql://", "dataflow-mysql", "; off"),
        WorkflowBuildError(["a", "b"]),
        WorkflowExecutionError("pay", DatabaseError("no"), {"a": {"id": 1}}, ["a"]),
        UniqueViolation("taken", "users", ["a"]),
        DatabaseError("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_the_way_to_another_process(error: DataFlowError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert set(vars(again)) == set(vars(error))
