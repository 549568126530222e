"""The portable subset of regular expressions: what it takes, what it refuses, and what matches."""

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.errors import InvalidValue
from dataflow.filters.regex import MAX_LENGTH, parse, read, render
from dataflow.sqlite.automaton import PLACES_KEPT, STEPS_KEPT, Automaton, State
from dataflow.testing.strategies.filters import TEXTS, regex_patterns


@given(regex_patterns(), st.booleans())
def test_the_canonical_form_means_the_same(pattern: str, fold: bool) -> None:
    text = read(pattern, fold, "filter").text
    assert render(parse(text)) == text
    assert read(text, False, "filter").text == text


@given(regex_patterns(), st.lists(TEXTS, min_size=1, max_size=5), st.booleans())
def test_the_automaton_finds_what_pythons_engine_finds(pattern: str, texts: list[str], fold: bool) -> None:
    canonical = read(pattern, fold, "filter").text
    automaton = Automaton(parse(canonical))
    engine = re.compile(render(parse(canonical), end=r"\Z"))
    for text in texts:
        assert automaton.search(text) == (engine.search(text) is not None), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "fold", "canonical"),
    [
        ("a.c", False, "a[^\\n]c"),
        ("\\d+", False, "[0-9]+"),
        ("\\s", False, "[\\t-\\r ]"),
        ("[a-a]", False, "a"),
        ("X", False, "X"),
        ("[[]", False, "\\["),
        ("[[a]", False, "[\\[a]"),
        ("(?:ab)*?c", False, "(?:ab)*c"),
        ("a|", False, "a|(?:)"),
        ("[a-c\\d]", False, "[0-9a-c]"),
        ("[^b]", True, "[^Bb]"),
        ("[X-b]", True, "[A-BX-bx-z]"),
        ("ß\\.", True, "ß\\."),
        ("x{3}y{2,}z{0,1}", False, "x{3}y{2,}z?"),
        ("[]-]"[1:], False, "\\]\\-\\]"),
    ],
)
def test_a_pattern_has_one_canonical_form(pattern: str, fold: bool, canonical: str) -> None:
    assert read(pattern, fold, "filter").text == canonical


@pytest.mark.parametrize(
    ("pattern", "prefix", "after"),
    [
        ("^John", "John", "any"),
        ("^John$", "John", "end"),
        ("^Joh?n", "Jo", "rest"),
        ("^Jo(hn)", "Jo", "rest"),
        ("^a\\.b[c]", "a.bc", "any"),
        ("^a[bc]d", "a", "rest"),
        ("^a[b-e]d", "a", "rest"),
        ("^a|b", "", "rest"),
        ("(^a)", "a", "any"),
        ("(^)+a", "", "rest"),
        ("John", "", "rest"),
        ("^", "", "any"),
    ],
)
def test_a_pattern_tells_what_texts_begin_with(pattern: str, prefix: str, after: str) -> None:
    found = read(pattern, False, "filter")
    assert (found.prefix, found.after) == (prefix, after)


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(?=a)", "look-ahead (?= is not"),
        ("(?!a)", "look-ahead (?! is not"),
        ("(?<=a)", "look-behind or a named group"),
        ("(?P<n>a)", "a named group (?P"),
        ("(?i)a", "a group with flags (?"),
        ("(?>a)", "an atomic group"),
        ("(?#a)", "a comment"),
        ("a\\b", "a word boundary \\b"),
        ("(a)\\1", "a back-reference or an escape by number"),
        ("\\x41", "an escape by number \\x"),
        ("\\pL", "a Unicode property \\p"),
        ("\\A", "\\A (write ^)"),
        ("\\y", "this escape is not"),
        ("\\ä", "this escape is not"),
        ("a\\", "a \\ stands at the end"),
        ("*a", "nothing to repeat"),
        ("a|+", "nothing to repeat"),
        ("a**", "a quantifier follows a quantifier"),
        ("a{2}{3}", "a quantifier follows a quantifier"),
        ("a*+", "a possessive quantifier"),
        ("a*?+", "a possessive quantifier"),
        ("^*", "an anchor cannot be repeated"),
        ("a{", "after { comes a number"),
        ("a{x}", "after { comes a number"),
        ("a{,3}", "after { comes a number"),
        ("a{1000000}", "after { comes a number"),
        ("a{256}", "more than 255 repeats"),
        ("a{3,2}", "wrong order"),
        ("(a", "a group is not closed"),
        ("a)", "a ) closes no group"),
        ("[a", "a class is not closed"),
        ("[]", "a class is empty"),
        ("[^]", "a class is empty"),
        ("[z-a]", "wrong order"),
        ("[\\d-z]", "a range needs a character"),
        ("[[:alpha:]]", "a POSIX class"),
        ("[^\\d\\D]", "excludes every character"),
        ("(a{200}){200}", "more than 2000 characters"),
        ("a" * (MAX_LENGTH + 1), "more than 1000 characters"),
        ("(" * 50 + ")" * 50, "nested deeper than 40"),
    ],
)
def test_what_is_outside_of_the_subset_is_refused_by_name(pattern: str, problem: str) -> None:
    with pytest.raises(InvalidValue, match=re.escape(problem)) as caught:
        read(pattern, False, "filter: name: $regex")
    assert str(caught.value).startswith("filter: name: $regex")


@pytest.mark.parametrize(
    "pattern", ["^(a+)+b", "(a|a)*b", "(a*)*(a*)*b", "(a?){200}b", "a.*a.*a.*a.*b", "(a+a+)+b", "^(a|aa)+b"]
)
def test_no_pattern_needs_more_than_a_moment(pattern: str) -> None:
    automaton = Automaton(parse(pattern))
    assert not automaton.search("a" * 20_000)
    assert automaton.search("a" * 20_000 + "b")


def test_the_end_is_found_though_nothing_else_can_be() -> None:
    assert Automaton(parse("^a|$")).search("bb")
    assert not Automaton(parse("^a|^$")).search("bb")


def test_an_automaton_forgets_rather_than_grow() -> None:
    automaton = Automaton(parse("[^x]*y$"))
    text = "".join(map(chr, range(0x4E00, 0x4E00 + STEPS_KEPT + 500)))
    assert automaton.search(text + "y")
    assert not automaton.search(text + "z")
    assert sum(len(state.steps) for state in automaton._known.values()) <= STEPS_KEPT


@pytest.mark.parametrize(("repeats", "length"), [(16, 45_000), (250, 2_500)])
def test_an_automaton_lets_go_of_what_it_forgets(repeats: int, length: int) -> None:
    # Nearly every character of this text leads to a state of its own, the more of them the longer the text is.
    automaton = Automaton(parse(f"a[ab]{{{repeats}}}c"))
    draw = Random(1)
    assert not automaton.search("".join(draw.choice("ab") for _ in range(length)))
    kept = reachable(automaton)
    assert len(kept) <= STEPS_KEPT + 2
    assert sum(len(state.places) for state in kept) <= PLACES_KEPT + 3 * repeats


def reachable(automaton: Automaton) -> set[State]:
    """The states that stay in memory with the automaton."""
    kept = {automaton._first}
    open = [automaton._first, *automaton._known.values()]
    while open:
        state = open.pop()
        kept.add(state)
        open += [following for following in state.steps.values() if following not in kept]
    return kept
