"""Matches regular expressions in time that grows with the text alone.

An engine that tries one way after another needs ages for ``(a+)+b``. This one follows all ways at once: a state is the
set of places in the pattern where a match could be by now, made when it is first reached.
"""

from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from dataflow.filters.regex import Anchor, Characters, Choice, Ranges, Repeat, Run, Tree, parse

__all__ = ["Automaton", "found"]

PATTERNS_KEPT: Final = 128
STEPS_KEPT: Final = 20_000
PLACES_KEPT: Final = 200_000  # some ten megabytes, in as many states as it may be


class One(NamedTuple):
    """A place where one character out of these leads on."""

    ranges: Ranges
    then: int


class Ways(NamedTuple):
    """A place from which there are several ways on, none of which takes a character."""

    then: tuple[int, ...]


class Guard(NamedTuple):
    """A place that is passed only at the start or at the end of the text."""

    anchor: Anchor
    then: int


class Goal(NamedTuple):
    """The place where the pattern has matched."""


Place: TypeAlias = One | Ways | Guard | Goal


class State:
    """The places where a match could be, and where each character leads from here.

    It is dead where no character can lead to a match, neither of one that has begun nor of a new one.
    """

    __slots__ = ("dead", "matched", "matched_at_end", "places", "steps")

    def __init__(self, places: frozenset[int], dead: bool, matched: bool, matched_at_end: bool) -> None:
        self.places = places
        self.dead = dead
        self.matched = matched
        self.matched_at_end = matched_at_end
        self.steps: dict[str, State] = {}


class Automaton:
    """A pattern, ready to be searched for.

    >>> Automaton(parse("^(a+)+b$")).search("aaaab"), Automaton(parse("^(a+)+b$")).search("a" * 10_000)
    (True, False)
    """

    def __init__(self, tree: Tree) -> None:
        self._places: list[Place] = [Goal()]
        self._entry = self._built(tree, 0)
        self._known: dict[frozenset[int], State] = {}
        self._steps_kept = 0
        self._places_kept = 0
        anywhere = self._closure({self._entry}, at_start=False, at_end=True)
        self._restarts = 0 in anywhere or self._any_takes_a_character(anywhere)
        self._first = self._state({self._entry}, at_start=True)

    def search(self, text: str) -> bool:
        """Tell whether the pattern is found in a text."""
        state = self._first
        for character in text:
            if state.matched or state.dead:
                return state.matched
            state = state.steps.get(character) or self._step(state, character)
        return state.matched or state.matched_at_end

    def _step(self, state: State, character: str) -> State:
        code = ord(character)
        reached = {self._entry}
        for number in state.places:
            place = self._places[number]
            if isinstance(place, One) and any(low <= code <= high for low, high in place.ranges):
                reached.add(place.then)
        following = self._state(reached, at_start=False)
        if self._steps_kept >= STEPS_KEPT or self._places_kept >= PLACES_KEPT:
            self._forget()
        self._steps_kept += 1
        state.steps[character] = following
        return following

    def _forget(self) -> None:
        """Let go of all states but the first, whose steps would otherwise hold on to the others."""
        self._known, self._steps_kept, self._places_kept = {}, 0, 0
        self._first.steps = {}

    def _state(self, reached: set[int], *, at_start: bool) -> State:
        places = self._closure(reached, at_start, at_end=False)
        known = None if at_start else self._known.get(places)
        if known is None:
            matched_at_end = 0 in self._closure(reached, at_start, at_end=True)
            dead = not self._restarts and not self._any_takes_a_character(places)
            known = State(places, dead, 0 in places, matched_at_end)
            if not at_start:
                self._known[places] = known
                self._places_kept += len(places)
        return known

    def _closure(self, reached: set[int], at_start: bool, at_end: bool) -> frozenset[int]:
        """All places that are reached without a character."""
        closed = set(reached)
        open = list(reached)
        while open:
            place = self._places[open.pop()]
            ways: tuple[int, ...] = ()
            if isinstance(place, Ways):
                ways = place.then
            elif isinstance(place, Guard) and (at_start if place.anchor is Anchor.START else at_end):
                ways = (place.then,)
            for way in ways:
                if way not in closed:
                    closed.add(way)
                    open.append(way)
        return frozenset(closed)

    def _any_takes_a_character(self, places: frozenset[int]) -> bool:
        return any(isinstance(self._places[number], One) for number in places)

    def _built(self, tree: Tree, then: int) -> int:
        """Add the places of a part of the pattern, from which it goes on to ``then``; its first place."""
        match tree:
            case Anchor():
                return self._place(Guard(tree, then))
            case Characters(ranges):
                return self._place(One(ranges, then))
            case Run(parts):
                for part in reversed(parts):
                    then = self._built(part, then)
                return then
            case Choice(branches):
                return self._place(Ways(tuple(self._built(branch, then) for branch in branches)))
            case Repeat(part, least, most):
                return self._repeated(part, least, most, then)

    def _repeated(self, part: Tree, least: int, most: int | None, then: int) -> int:
        if most is None:
            loop = self._place(Ways(()))
            self._places[loop] = Ways((self._built(part, loop), then))
            then = loop
        else:
            end = then
            for _ in range(most - least):
                then = self._place(Ways((self._built(part, then), end)))
        for _ in range(least):
            then = self._built(part, then)
        return then

    def _place(self, place: Place) -> int:
        self._places.append(place)
        return len(self._places) - 1


@lru_cache(maxsize=PATTERNS_KEPT)
def _automaton(pattern: str) -> Automaton:
    return Automaton(parse(pattern))


def found(pattern: str, text: str) -> bool:
    """Tell whether a canonical pattern is found in a text."""
    return _automaton(pattern).search(text)
