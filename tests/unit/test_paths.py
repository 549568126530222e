"""Dotted paths into the output of a node."""

from collections import defaultdict
from contextlib import suppress
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.errors import WorkflowError
from dataflow.workflow.paths import MissingOutput, Path, parse_path

OUTPUT = {
    "id": 7,
    "nothing": None,
    "result": [{"id": 1, "tags": ("a", "b")}, {"id": 2}],
    "record": {"status": "paid", "0": "zero", "007": "agent"},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("id", 7),
        ("nothing", None),
        ("result", OUTPUT["result"]),
        ("result.1.id", 2),
        ("result.0.tags.1", "b"),
        ("record.status", "paid"),
        ("record.0", "zero"),
        ("record.007", "agent"),
    ],
)
def test_a_path_reads_the_value_it_leads_to(text: str, value: object) -> None:
    assert parse_path(text).read(OUTPUT) == value
    assert parse_path(text).find(OUTPUT, "absent") == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("redord", "there is no output 'redord'; did you mean 'record'?"),
        ("redord.status", "there is no output 'redord.status'; did you mean 'record'?"),
        ("record.sttus", "'record' has no 'sttus'; did you mean 'status'?"),
        ("result.2.id", "the list 'result' has 2 items, so none at position 2"),
        ("result.id", "'result' is a list, which takes a position, such as 'result.0'"),
        ("result.-1.id", "'result' is a list, which takes a position"),
        ("result.007", "'result' is a list, which takes a position"),
        ("result.9999999999999999999", "'result' is a list, which takes a position"),
        ("nothing.id", "'nothing' is null"),
        ("id.real", "'id' is a single int"),
        ("record.status.0", "'record.status' is a single str"),
        ("result.0.id.x", "'result.0.id' is a single int"),
    ],
)
def test_a_path_that_leads_nowhere_says_how_far_it_led(text: str, message: str) -> None:
    path = parse_path(text)
    with pytest.raises(MissingOutput) as caught:
        path.read(OUTPUT)
    assert message in str(caught.value)
    assert path.find(OUTPUT, "absent") == "absent"


def test_a_missing_output_is_an_error_of_the_tree_and_a_lookup_error() -> None:
    assert issubclass(MissingOutput, WorkflowError)
    assert issubclass(MissingOutput, LookupError)


def test_a_message_never_shows_a_value() -> None:
    with pytest.raises(MissingOutput) as caught:
        parse_path("record.password.hash").read({"record": {"password": "hunter2"}})
    assert "hunter2" not in str(caught.value)


def test_a_key_that_holds_a_dot_is_not_looked_up() -> None:
    assert parse_path("a.b").find({"a.b": 1}) is None


def test_reading_never_adds_to_a_default_dict() -> None:
    output: defaultdict[str, object] = defaultdict(list)
    assert parse_path("rows.0").find(output) is None
    assert not output


def test_any_mapping_and_any_sequence_is_walked_but_no_text() -> None:
    output = {"view": MappingProxyType({"numbers": range(3)}), "text": "abc", "raw": b"abc"}
    assert parse_path("view.numbers.2").read(output) == 2
    assert parse_path("text.0").find(output) is None
    assert parse_path("raw.0").find(output) is None


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b"])
def test_an_empty_part_is_refused(text: str) -> None:
    with pytest.raises(WorkflowError, match="no path to an output"):
        parse_path(text)


def test_a_path_is_a_value() -> None:
    path = parse_path("result.0.id")
    assert path == Path("result", (0, "id"))
    assert {path: 1}[Path("result", (0, "id"))] == 1
    assert str(path) == "result.0.id"


keys = st.text("ab0.", max_size=2)
nested = st.recursive(
    st.none() | st.integers() | keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@given(output=st.dictionaries(keys, nested, max_size=3), text=st.text() | st.text("ab0.", max_size=8))
def test_any_text_is_read_or_refused_with_an_error_of_the_tree(output: dict[str, object], text: str) -> None:
    with suppress(WorkflowError):
        parse_path(text).read(output)


@given(output=st.dictionaries(keys, nested, max_size=3), data=st.data())
def test_every_value_of_an_output_is_found_by_the_path_to_it(
    output: dict[str, object], data: st.DataObject
) -> None:
    value: object = output
    parts: list[str] = []
    while isinstance(value, dict | list) and value and (not parts or data.draw(st.booleans())):
        if isinstance(value, dict):
            key = data.draw(st.sampled_from(sorted(value)))
            if "." in key or not key:
                break
            parts.append(key)
            value = value[key]
        else:
            position = data.draw(st.integers(0, len(value) - 1))
            parts.append(str(position))
            value = value[position]
    if parts:
        assert parse_path(".".join(parts)).read(output) == value
