"""The faults that ./dev mutants puts into a module."""

from pathlib import Path
from textwrap import dedent

import pytest

from tools.mutants.mutations import Mutation, mutations


@pytest.fixture
def faults(tmp_path: Path) -> "Faults":
    return Faults(tmp_path / "module.py")


class Faults:
    """Finds the faults of a text."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def of(self, text: str) -> list[Mutation]:
        self._file.write_text(dedent(text))
        return mutations(self._file, "m")

    def texts(self, text: str) -> list[str]:
        return [fault.name.partition(": ")[2] for fault in self.of(text)]


@pytest.mark.parametrize(
    ("expression", "others"),
    [
        ("a < b", ["a < b -> (a <= b)", "a < b -> (a >= b)"]),
        ("a is b", ["a is b -> (a is not b)"]),
        ("0 <= a", ["0 <= a -> (0 < a)", "0 <= a -> (0 > a)", "0 -> 1"]),
        ("a and b", ["a and b -> b", "a and b -> a"]),
        ("not a", ["not a -> a"]),
        ("a - b", ["a - b -> (a + b)"]),
        ("a | b", ["a | b -> a", "a | b -> b"]),
        ("a[b:c]", ["b:c -> :c", "b:c -> b:"]),
        ("f(a, b=c)", ["f(a, b=c) -> f(a)"]),
        ("zip(a, b, strict=True)", []),
        ("str | float | None", []),
        ("min(a, b)", ["min -> max"]),
        ("True", ["True -> False"]),
        ("'word'", ["'word' -> 'XXword'"]),
        ("b if a == c else d", ["a == c -> True", "a == c -> False"]),
        ("[a for a in b if a]", ["a -> True", "a -> False"]),
        ("cast('A', b)", []),
    ],
)
def test_an_expression_has_these_others(faults: Faults, expression: str, others: list[str]) -> None:
    assert faults.texts(f"x = {expression}") == others


@pytest.mark.parametrize(
    ("statement", "others"),
    [
        ("return f(a)", ["f(a) -> None"]),
        ("return None", []),
        ("f(a)", ["f(a) -> pass"]),
        ("a.b = c", ["a.b = c -> pass"]),
        ("a += b", ["a += b -> pass"]),
        ("raise E(a == b)", ["raise E(a == b) -> pass"]),
        ("if a: pass", ["a -> True", "a -> False"]),
        ("while a: pass", ["a -> False"]),
    ],
)
def test_a_statement_is_left_out_or_decides_otherwise(
    faults: Faults, statement: str, others: list[str]
) -> None:
    assert [text for text in faults.texts(f"def f():\n    {statement}\n")] == others


def test_what_no_test_should_notice_is_left_alone(faults: Faults) -> None:
    assert not faults.of(
        '''
        """A module."""
        from dataflow.errors import InvalidValue

        __all__ = ["f"]
        Alias: TypeAlias = A | B


        def f(a: "A" | None) -> "B":
            """A function."""
            text = f"what {a} lacks"
            error = InvalidValue("word", a == b)
            assert a == b
        '''
    )


def test_a_fault_is_one_change_of_the_text_where_it_stands(faults: Faults) -> None:
    both = faults.of("class A:\n    def f(self):\n        return 'ä', a, 'ä' + 1  # rest\n")
    last = both[-1]
    assert last.name == "m.A.f: 1 -> 2"
    assert last.source.decode() == "class A:\n    def f(self):\n        return 'ä', a, 'ä' + 2  # rest\n"
    assert (last.lines, last.reached_by) == (range(3, 4), frozenset([3]))


def test_faults_that_look_alike_have_names_of_their_own(faults: Faults) -> None:
    assert faults.texts("x = [1, 1]") == ["1 -> 2", "1 -> 2 (2)"]


def test_the_header_of_a_compound_statement_is_what_its_condition_belongs_to(faults: Faults) -> None:
    first, *_ = faults.of("def f():\n    if (\n        a\n    ):\n        b()\n")
    assert (first.name, first.lines) == ("m.f: a -> True", range(2, 5))


def test_a_private_constant_is_reached_where_a_function_reads_it(faults: Faults) -> None:
    text = """\
    __all__ = ["PUBLIC", "one"]
    PUBLIC = 1
    PRIVATE = 2
    READ_AT_ONCE = 3
    OTHER = [READ_AT_ONCE]

    class Class:
        attribute = 4

    def one(a, b=5):
        return (
            a,
            PRIVATE,
        )

    def two():
        return PUBLIC, OTHER, READ_AT_ONCE, PRIVATE
    """
    reached = {fault.name.partition(": ")[2]: fault.reached_by for fault in faults.of(text)}
    assert reached["1 -> 2"] is None
    assert reached["2 -> 3"] == frozenset([13, 17])
    assert reached["3 -> 4"] is None
    assert reached["4 -> 5"] is None
    assert reached["5 -> 6"] == frozenset(range(11, 15))
