"""Writes the tree of a regular expression as a pattern."""

from dataflow.filters.regex.ranges import CONTROLS, LAST, complement, is_single
from dataflow.filters.regex.tree import Anchor, Characters, Choice, Ranges, Repeat, Run, Tree

__all__ = ["render"]


def render(tree: Tree, end: str = "$") -> str:
    r"""Write a tree as a pattern that Perl's family of engines and PostgreSQL read alike.

    :param end: how the engine says "the very end of the text", such as ``\z``.
    """
    match tree:
        case Anchor.START:
            return "^"
        case Anchor.END:
            return end
        case Characters(ranges):
            return _rendered(ranges)
        case Run(parts):
            return "".join(_grouped(part, end, Choice) for part in parts) or "(?:)"
        case Choice(branches):
            return "|".join(render(branch, end) for branch in branches)
        case Repeat(part, least, most):
            return _grouped(part, end, Choice, Run, Repeat) + _quantified(least, most)


def _grouped(part: Tree, end: str, *kinds: type) -> str:
    text = render(part, end)
    return f"(?:{text})" if isinstance(part, kinds) and text != "(?:)" else text


def _quantified(least: int, most: int | None) -> str:
    known = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
    if known is not None:
        return known
    return f"{{{least}}}" if least == most else f"{{{least},{'' if most is None else most}}}"


def _rendered(ranges: Ranges) -> str:
    if is_single(ranges):
        return _character(chr(ranges[0][0]))
    negated = ranges[-1][1] == LAST
    members = complement(ranges) if negated else ranges
    if negated and not members:
        members, negated = ranges, False
    inner = "".join(
        _character(chr(low)) + ("" if low == high else f"-{_character(chr(high))}") for low, high in members
    )
    return f"[{'^' if negated else ''}{inner}]"


def _character(character: str) -> str:
    for letter, control in CONTROLS.items():
        if character == control:
            return f"\\{letter}"
    if character.isascii() and character.isprintable() and not character.isalnum() and character not in " _":
        return f"\\{character}"
    return character
