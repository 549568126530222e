"""The portable subset of regular expressions: what it takes, what it refuses, and what matches."""

import re
from random import Random
from string import punctuation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.errors import InvalidValue
from dataflow.filters.regex import parse, read, render
from dataflow.filters.regex.pattern import MAX_LENGTH
from dataflow.sqlite.automaton import PLACES_KEPT, STEPS_KEPT, Automaton, State
from dataflow.testing.strategies.filters import TEXTS, regex_patterns

CLASSES = "dwsDWS"
CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
CHARACTERS = [*map(chr, range(1, 0x180)), "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff"]
"""All of ASCII, some others, and those at the edges of what texts can hold."""


def found(text: str, pattern: str, fold: bool = False) -> bool:
    return Automaton(parse(read(pattern, fold, "filter").text)).search(text)


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
        ("()*", False, "(?:)*"),
        ("[a-c\\d]", False, "[0-9a-c]"),
        ("[cab]", False, "[a-c]"),
        ("[a-dc-f]", False, "[a-f]"),
        ("[a-fc-d]", False, "[a-f]"),
        ("[ace]", False, "[ace]"),
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
        ("(?|a)", "a branch reset (?|"),
        ("(?(1)a)", "a conditional group (?("),
        ("(?", "a group with flags (?"),
        ("(?i)a", "a group with flags (?"),
        ("(?>a)", "an atomic group"),
        ("(?#a)", "a comment"),
        ("a\\b", "a word boundary \\b"),
        ("(a)\\1", "a back-reference or an escape by number"),
        ("\\x41", "an escape by number \\x"),
        ("\\pL", "a Unicode property \\p"),
        ("\\A", "\\A (write ^)"),
        ("\\Z", "\\Z (write $)"),
        ("\\z", "\\z (write $)"),
        ("a\\B", "a word boundary \\B"),
        ("\\u0041", "an escape by number \\u"),
        ("\\U00000041", "an escape by number \\U"),
        ("\\PL", "a Unicode property \\P"),
        ("\\Qa", "a quotation \\Q"),
        ("\\R", "any line ending \\R"),
        ("\\X", "a grapheme \\X"),
        ("\\k<n>", "a back-reference \\k"),
        ("\\g1", "a back-reference \\g"),
        ("\\y", "the escape \\y is not"),
        ("\\ä", "the escape \\ä is not"),
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
        ("a{1000000}", "more than 255 repeats"),
        ("a{2,1000000}", "more than 255 repeats"),
        ("a{256}", "more than 255 repeats"),
        ("a{256,}", "more than 255 repeats"),
        ("a{1,256}", "more than 255 repeats"),
        ("a{2", "after { comes a number"),
        ("a{2,b}", "after { comes a number"),
        ("a{3,2}", "wrong order"),
        ("(a", "a group is not closed"),
        ("a)", "a ) closes no group"),
        ("[a", "a class is not closed"),
        ("[]", "a class is empty"),
        ("[^]", "a class is empty"),
        ("[z-a]", "wrong order"),
        ("[\\d-z]", "a range needs a character"),
        ("[a-\\d]", "a range needs a character"),
        ("[!-\\w]", "a range needs a character"),
        ("[[.a.]]", "a POSIX class"),
        ("[[=a=]]", "a POSIX class"),
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
    ("pattern", "place"),
    [("(?i)a", 3), ("ab(?=c)", 5), ("abc)", 4), ("*a", 1), ("x\\bx", 4), ("[b-a]", 5), ("a{3,2}b", 7)],
)
def test_a_refusal_tells_where_it_is(pattern: str, place: int) -> None:
    with pytest.raises(InvalidValue, match=f"near character {place} of the pattern"):
        read(pattern, False, "filter")


def test_every_character_stands_for_itself() -> None:
    for character in CHARACTERS:
        pattern = f"\\{character}" if character in punctuation else character
        canonical = read(pattern, False, "filter").text
        assert read(canonical, False, "filter").text == canonical
        assert found(character, pattern)


def test_every_letter_after_a_backslash_means_what_it_says_or_is_refused_by_it() -> None:
    for letter in map(chr, range(0x21, 0x7F)):
        if letter in CLASSES + "".join(CONTROLS):
            continue
        pattern = f"\\{letter}"
        if letter.isalnum():
            named = "an escape by number" if letter.isdigit() else re.escape(pattern)
            with pytest.raises(InvalidValue, match=f"{named}.* is not in the portable subset"):
                read(pattern, False, "filter")
        else:
            assert [one for one in CHARACTERS if found(one, pattern)] == [letter]


@pytest.mark.parametrize("letter", CONTROLS)
def test_a_control_character_is_written_with_its_letter(letter: str) -> None:
    for pattern in (f"\\{letter}", f"[\\{letter}]", CONTROLS[letter]):
        assert read(pattern, False, "filter").text == f"\\{letter}"
        assert [one for one in CHARACTERS if found(one, pattern)] == [CONTROLS[letter]]


@pytest.mark.parametrize("pattern", [".", *(f"\\{letter}" for letter in CLASSES)])
def test_a_class_holds_what_it_holds_of_ascii_in_python(pattern: str) -> None:
    engine = re.compile(pattern, re.ASCII)
    for form in (pattern, f"[{pattern}]" if pattern != "." else pattern):
        assert [found(one, form) for one in CHARACTERS] == [bool(engine.match(one)) for one in CHARACTERS]


@pytest.mark.parametrize(
    "pattern",
    ["[^m]", "[^a-z]", "[^\\w]", "[^\\S]", "[A-Z_]", "[!-~]", "[^!-~]", "[@-[]", "[`-{]", "[^\1-\U0010fffe]"],
)
def test_a_class_and_its_contrary_share_out_all_characters(pattern: str) -> None:
    engine = re.compile(pattern, re.ASCII)
    assert [found(one, pattern) for one in CHARACTERS] == [bool(engine.match(one)) for one in CHARACTERS]


@pytest.mark.parametrize("pattern", ["[A-Z]", "[a-z]", "[@-[]", "[`-{]", "[^m]", "[^a-y]", "[A-z]", "ä", "k"])
def test_only_ascii_letters_lose_their_case(pattern: str) -> None:
    engine = re.compile(pattern, re.ASCII)
    for one in CHARACTERS:
        other = one.swapcase() if one.isascii() else one
        if pattern.startswith("[^"):  # what is left out is left out in both cases
            expected = bool(engine.match(one)) and bool(engine.match(other))
        else:
            expected = bool(engine.match(one)) or bool(engine.match(other))
        assert found(one, pattern, fold=True) == expected, one


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        ("a" * MAX_LENGTH, "a" * (MAX_LENGTH + 1)),
        ("(" * 40 + "a" + ")" * 40, "(" * 41 + "a" + ")" * 41),
        ("(a)" * 41, "(" * 41 + "a" + ")" * 41),
        ("a{255}", "a{256}"),
        ("a{255,255}", "a{255,256}"),
        ("a{2,2}", "a{2,1}"),
        ("a{199}" * 9 + "a{198}", "a{199}" * 10),
        ("(?:(?:a?){20}){48}", "(?:(?:a?){20}){49}"),
        ("(?:a{1,30}){1,60}", "(?:a{1,30}){1,70}"),
        ("(?:a{30,}){60,}", "(?:a{30,}){70,}"),
    ],
)
def test_a_limit_is_met_exactly(allowed: str, refused: str) -> None:
    read(allowed, False, "filter")
    with pytest.raises(InvalidValue):
        read(refused, False, "filter")


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


@pytest.mark.parametrize(
    "pattern",
    [
        "^a{2,3}$",
        "^a{2,}$",
        "^a{0,2}$",
        "^a{3}$",
        "^a?$",
        "^a+$",
        "^a*$",
        "^(?:aa|aaa){1,2}$",
        "^(?:a{2}){1,3}$",
    ],
)
def test_a_repeat_is_met_as_often_as_it_says(pattern: str) -> None:
    engine = re.compile(pattern)
    for length in range(12):
        text = "a" * length
        assert found(text, pattern) == bool(engine.search(text)), length


def test_an_automaton_knows_the_states_that_it_has_seen() -> None:
    automaton = Automaton(parse("a[bc]+d"))
    text = "abcbcbcb" * 10
    assert not automaton.search(text)
    states = dict(automaton._known)
    steps = {places: dict(state.steps) for places, state in states.items()}
    assert len(steps) > 1
    assert any(steps.values())
    assert not automaton.search(text)
    assert automaton._known == states
    assert {places: state.steps for places, state in states.items()} == steps


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
