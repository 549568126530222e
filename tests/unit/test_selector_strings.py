"""The string conditions of the nodes for one row."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataflow.errors import InvalidValue, MissingValue, ValidationError
from dataflow.filters.selector import Comparison, parse_selector


@pytest.mark.parametrize(
    ("text", "comparisons"),
    [
        ("id = :product_id", [("id", "$eq", "product_id")]),
        ("email = :email AND active = :active", [("email", "$eq", "email"), ("active", "$eq", "active")]),
        ("age>=:low aNd age<:high", [("age", "$gte", "low"), ("age", "$lt", "high")]),
        ('"order total" <> :total', [("order total", "$ne", "total")]),
        ('"a ""b""" == :b', [('a "b"', "$eq", "b")]),
        ('"AND" = :AND\n AND x != :x', [("AND", "$eq", "AND"), ("x", "$ne", "x")]),
        ("größe <= :größe", [("größe", "$lte", "größe")]),
        ("  a > :a\t", [("a", "$gt", "a")]),
        ("anders = :android", [("anders", "$eq", "android")]),
    ],
)
def test_comparisons_with_bound_names_are_read(text: str, comparisons: list[tuple[str, str, str]]) -> None:
    assert parse_selector(text) == tuple(Comparison(*parts) for parts in comparisons)


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_empty_text_selects_nothing_and_is_refused(text: str) -> None:
    with pytest.raises(MissingValue, match='write a comparison, such as "id = :id"'):
        parse_selector(text)


@pytest.mark.parametrize(
    "value",
    [
        "5",
        "-5",
        "'hunter2'",
        '"hunter2"',
        "hunter2",
        "true",
        "NULL",
        "?",
        "$1",
        "%s",
        "%(id)s",
        ":",
        ": id",
        ":1",
        "@id",
        "",
    ],
)
def test_a_value_in_the_text_is_refused_and_told_how_to_bind_it(value: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_selector(f"id = {value}", "UserReadNode conditions")
    assert str(caught.value).startswith(
        "UserReadNode conditions, at character 6: the value of 'id' is bound by name"
    )
    assert "put :name in its place" in str(caught.value)
    assert "{'id': ...}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id = :id OR name = :name", r"OR is not possible here; write a filter dict, {'\$or'"),
        ("id = :id;", "after a comparison comes AND or the end"),
        ("id = :id -- all", "after a comparison comes AND or the end"),
        ("id = :id /* all */", "after a comparison comes AND or the end"),
        ("id = :id::int", "after a comparison comes AND or the end"),
        ("id = :id name = :name", "after a comparison comes AND or the end"),
        ("id = :id ANDname = :name", "after a comparison comes AND or the end"),
        ("id = :id hunter2", "after a comparison comes AND or the end"),
        ("id = :id AND", "at character 13: a field must come here"),
        ("id = :id AND NOT name = :name", "at character 14: a field must come here"),
        ("AND id = :id", "a field must come here"),
        ("(id = :id)", "a field must come here"),
        ("1 = 1", "a field must come here"),
        (":id = id", "a field must come here"),
        ("-- id = :id", "a field must come here"),
        ("'hunter2' = :id", "a field must come here"),
        ('"id = :id', "a field must come here"),
        ('"" = :id', "no name of a field"),
        ('"$or" = :id', "no name of a field"),
        ('"a\x00b" = :id', "no name of a field"),
        ("id", "after 'id' comes one of"),
        ("id :id", "after 'id' comes one of"),
        ("id => :id", "after 'id' comes one of"),
        ("id === :id", "after 'id' comes one of"),
        ("users.id = :id", "a dot is not possible here; write the field alone, or a filter dict"),
        ("id + 1 = :id", "after 'id' comes one of"),
        ("id in :ids", r"IN is no operator here; write a filter dict with \$in"),
        ("name LIKE :name", r"LIKE is no operator here; write a filter dict with \$like"),
        ("name regex :name", r"REGEX is no operator here; write a filter dict with \$regex"),
        ("name IS NULL", "IS is no operator here; write a filter dict, {'name': None}"),
        ("x² = :x", "a field must come here"),
        ("a = :a AND " * 300 + "a = :a", "longer than 2000 characters"),
    ],
)
def test_a_text_outside_of_the_grammar_is_refused_with_a_way_out(text: str, message: str) -> None:
    with pytest.raises(InvalidValue, match=message) as caught:
        parse_selector(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "word", ["in", "like", "ilike", "between", "contains", "exists", "regex", "not", "Not", "iLike"]
)
def test_an_operator_of_filters_leads_to_a_filter(word: str) -> None:
    expected = f"{word.upper()} is no operator here; write a filter dict with ${word.lower()}"
    with pytest.raises(InvalidValue, match=re.escape(expected)):
        parse_selector(f"name {word} :name")


@pytest.mark.parametrize("word", ["and", "or", "not", "AND", "Or"])
def test_a_word_of_the_grammar_is_a_field_in_quotes_only(word: str) -> None:
    with pytest.raises(InvalidValue, match="a field must come here"):
        parse_selector(f"{word} = :x")
    assert parse_selector(f'"{word}" = :x')[0].field == word


@pytest.mark.parametrize(("length", "fits"), [(2000, True), (2001, False)])
def test_a_text_may_be_this_long(length: int, fits: bool) -> None:
    text = "id = :" + "x" * (length - 6)
    if fits:
        assert len(parse_selector(text)) == 1
    else:
        with pytest.raises(InvalidValue, match="longer than 2000 characters"):
            parse_selector(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("id ~ :id", 4),
        ("id = id", 6),
        ("  5 = :x", 3),
        ("id = :id and", 13),
        ("id = :id OR x = :x", 10),
        ("id = :5", 6),
    ],
)
def test_a_refusal_tells_at_which_character(text: str, place: int) -> None:
    with pytest.raises(InvalidValue, match=f"conditions, at character {place}: "):
        parse_selector(text)


INJECTIONS = [
    *("'", '"', "''", '""', ";", "--", "/*", "*/", "#", "\\", "`", "$where", "%27", "sleep(1)", "0x31"),
    *("(SELECT", "id||id", "\u02bc", "\uff07", "x\u037e", "\u200bid", "x' OR '1'='1"),
    *("1; DROP TABLE users", "id) OR (1=1", "id UNION SELECT 1", ":id OR 1=1", "id /**/", "\x00"),
    *("\n;", "id\u2028;", "\ud800", "id = :id OR 1=1"),
]


@pytest.mark.parametrize("injection", INJECTIONS)
@pytest.mark.parametrize(
    "template",
    [
        *("{} = :id", "id{} = :id", "{}id = :id", "id {} :id", "id ={} :id", '"{}" = :id', '"id{} = :id'),
        *("id = {}", "id = :{}", "id = :id{}", "id = :id {}", "id = :id AND {} = :x", "id = :id {} x = :x"),
    ],
)
def test_an_injection_is_refused_or_a_plain_name(template: str, injection: str) -> None:
    text = template.format(injection)
    try:
        comparisons = parse_selector(text)
    except ValidationError:
        return
    rebuilt = " AND ".join(
        '"{}" {} :{}'.format(c.field.replace('"', '""'), SIGNS[c.operator], c.parameter) for c in comparisons
    )
    assert parse_selector(rebuilt) == comparisons
    for comparison in comparisons:
        assert comparison.field.isidentifier() or template.startswith('"')
        assert comparison.field.isprintable()
        assert not comparison.field.startswith("$")
        assert comparison.parameter.isidentifier()


SIGNS = {"$eq": "=", "$ne": "!=", "$lt": "<", "$lte": "<=", "$gt": ">", "$gte": ">="}
identifiers = st.from_regex(r"[^\W\d]\w{0,8}", fullmatch=True).filter(str.isidentifier)
quoted_names = st.text(min_size=1, max_size=8).filter(
    lambda name: name.isprintable() and bool(name.strip()) and not name.startswith("$")
)
space = st.sampled_from(["", " ", "\t\n "])


@given(data=st.data(), parameters=st.lists(identifiers, min_size=1, max_size=4))
def test_what_is_written_is_read(data: st.DataObject, parameters: list[str]) -> None:
    written, expected = "", []
    for parameter in parameters:
        field, operator = data.draw(quoted_names | identifiers), data.draw(st.sampled_from(sorted(SIGNS)))
        bare = field.isidentifier() and field.casefold() not in ("and", "or", "not")
        shown = field if bare and data.draw(st.booleans()) else '"{}"'.format(field.replace('"', '""'))
        if written:
            written += f" {data.draw(st.sampled_from(['AND', 'and', 'And']))} "
        written += f"{shown}{data.draw(space)}{SIGNS[operator]}{data.draw(space)}:{parameter}"
        expected.append(Comparison(field, operator, parameter))
    assert parse_selector(written) == tuple(expected)


pieces = st.sampled_from(
    [
        *INJECTIONS,
        *("id", "name", "=", "==", "!=", "<>", "<=", ":", ":id", "AND", "and", "OR", "NOT", '"', " ", "("),
        *(")", "$", "1"),
    ]
)


@settings.get_profile("many")
@given(st.text() | st.lists(pieces, max_size=12).map("".join) | st.lists(pieces, max_size=12).map(" ".join))
@example(":")
def test_any_text_is_read_or_refused_before_any_sql(text: str) -> None:
    try:
        comparisons = parse_selector(text)
    except ValidationError:
        return
    assert comparisons
    for comparison in comparisons:
        assert comparison.operator in SIGNS
        assert comparison.parameter.isidentifier()
        assert f":{comparison.parameter}" in text
        assert not comparison.field.startswith("$")


@pytest.mark.parametrize("name", ["größe", "_x1", "A·", "℘", "a゙"])
def test_a_name_of_python_needs_no_quotes(name: str) -> None:
    assert name.isidentifier()
    assert parse_selector(f"{name} = :a") == parse_selector(f'"{name}" = :a')


def test_a_text_may_have_two_thousand_characters() -> None:
    text = "a = :a".ljust(2000)
    assert len(parse_selector(text)) == 1
    with pytest.raises(InvalidValue, match="longer than 2000 characters"):
        parse_selector(f"{text} ")
