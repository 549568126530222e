"""The functions that SQLite is given: what they make of JSON."""

import pytest

from dataflow.sqlite.functions import json_contains, json_type, json_value, matches

DOCUMENT = (
    '{"text": "a", "number": 1.5, "truth": true, "nothing": null, "list": [1, "1", true], "dict": {"a": 1}}'
)


@pytest.mark.parametrize("number", [0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_an_integer_of_64_bits_stays_exact(number: int) -> None:
    found = json_value(f'{{"a": {number}}}', '["a"]', "number")
    assert (found, type(found)) == (number, int)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400])
def test_an_integer_beyond_them_is_a_float(number: int) -> None:
    found = json_value(f'{{"a": {number}}}', '["a"]', "number")
    assert (found, type(found)) == (float(str(number)), float)


@pytest.mark.parametrize(
    ("name", "type_name"),
    [
        ("text", "string"),
        ("number", "number"),
        ("truth", "boolean"),
        ("nothing", "null"),
        ("list", "array"),
        ("dict", "object"),
        ("absent", None),
    ],
)
def test_each_value_has_a_type_and_is_found_by_it_alone(name: str, type_name: str | None) -> None:
    path = f'["{name}"]'
    assert json_type(DOCUMENT, path) == type_name
    for scalar in ("string", "number", "boolean"):
        found = json_value(DOCUMENT, path, scalar)
        assert (found is not None) == (scalar == type_name)


@pytest.mark.parametrize(
    ("path", "member", "contained"),
    [
        ('["list"]', "1", True),
        ('["list"]', "1.0", True),
        ('["list"]', '"1"', True),
        ('["list"]', "true", True),
        ('["list"]', "false", False),
        ('["list"]', "null", False),
        ('["list"]', '"true"', False),
        ('["list"]', "2", False),
        ('["dict"]', '"a"', True),
        ('["dict"]', '"b"', False),
        ('["dict"]', "1", False),
        ('["text"]', '"a"', None),
        ('["absent"]', '"a"', None),
    ],
)
def test_a_list_has_members_and_a_dict_has_keys(path: str, member: str, contained: bool | None) -> None:
    assert json_contains(DOCUMENT, path, member) is contained


@pytest.mark.parametrize(
    ("path", "type_name"),
    [
        ('["list", "0"]', "number"),
        ('["list", "2"]', "boolean"),
        ('["list", "3"]', None),
        ('["list", "00"]', None),
        ('["list", "-1"]', None),
        ('["list", "²"]', None),
        ('["list", ""]', None),
        pytest.param('["list", "' + "1" * 5000 + '"]', None, id="more digits than Python reads"),
        ('["dict", "a"]', "number"),
        ('["text", "0"]', None),
        ("[]", "object"),
    ],
)
def test_a_path_leads_through_dicts_and_lists(path: str, type_name: str | None) -> None:
    assert json_type(DOCUMENT, path) == type_name


def test_null_is_nothing() -> None:
    assert json_type(None, "[]") is None
    assert json_value(None, "[]", "number") is None
    assert json_contains(None, "[]", "1") is None
    assert matches("a", None) is None
    assert matches("a", "cab") is True
    assert matches("^a", "cab") is False
