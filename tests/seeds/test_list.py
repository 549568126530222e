"""The list of the examples is complete, and the page says what the headers say."""

import re
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from textwrap import dedent

import pytest

from tests.seeds import test_examples
from tests.seeds.seed import Example, examples
from tests.seeds.table import PAGE, page

TESTED = {int(found[1]) for name in vars(test_examples) if (found := re.match(r"test_(\d+)_", name))}


def test_the_examples_are_numbered_without_a_gap() -> None:
    assert list(examples()) == list(range(1, 63))


@pytest.mark.parametrize("example", examples().values(), ids=lambda example: example.path.stem)
def test_an_example_runs_or_says_why_not(example: Example) -> None:
    assert not (example.needs and example.illustrates)
    if example.illustrates:
        assert example.number not in TESTED
        assert not example.supplied
    elif not example.needs:
        assert example.number in TESTED, "write a test for it, or say what it needs"


@pytest.mark.parametrize(
    "example",
    [one for one in examples().values() if one.path.suffix == ".py" and not one.illustrates],
    ids=lambda example: example.path.stem,
)
def test_what_is_called_python_is_python(example: Example) -> None:
    compile(dedent(example.code), example.path, "exec", flags=PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_page_says_what_the_headers_say() -> None:
    assert PAGE.read_text() == page(), "write it again: python -m tests.seeds.table"
