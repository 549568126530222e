"""How several steps become one piece of work: what users may ask for, and what is chosen for them."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from dataflow.errors import InvalidValue, WorkflowError, nearest
from dataflow.nodes.contract import Node
from dataflow.transactions.agreement import TwoPhaseCommit

__all__ = [
    "LOCAL",
    "PATTERNS",
    "PATTERN_NAMES",
    "SAGA",
    "TWO_PHASE",
    "Choice",
    "choose",
    "read_pattern",
    "without_pattern",
]

LOCAL: Final = "local"
TWO_PHASE: Final = "two_phase"
SAGA: Final = "saga"

PATTERNS = ("auto", SAGA, TWO_PHASE)
PATTERN_NAMES = ("pattern", "transaction_type")


def read_pattern(parameters: Mapping[str, object]) -> str:
    """The pattern that is asked for, under either name.

    :raises InvalidValue: for one that does not exist, and where both names are given.
    """
    given = [name for name in PATTERN_NAMES if name in parameters]
    if len(given) > 1:
        raise InvalidValue("pattern and transaction_type are the same; give one of them")
    pattern = parameters[given[0]] if given else "auto"
    if not isinstance(pattern, str) or pattern not in PATTERNS:
        hint = nearest(pattern, PATTERNS) or f"; it is one of {', '.join(PATTERNS)}"
        raise InvalidValue(f"{given[0]}: there is no such pattern{hint}")
    return pattern


def without_pattern(parameters: Mapping[str, object]) -> Mapping[str, object]:
    """What else was given."""
    return {name: value for name, value in parameters.items() if name not in PATTERN_NAMES}


class Choice(NamedTuple):
    """What becomes of steps.

    :param pattern: ``local``, ``two_phase`` or ``saga``.
    :param why: as the end of a sentence.
    :param is_firm: whether it stands already; else it is a saga where the databases say that they cannot agree.
    """

    pattern: str
    why: str
    is_firm: bool = True


def choose(pattern: str, nodes: Sequence[Node], agreement: TwoPhaseCommit) -> Choice:
    """Choose for steps what gives the strongest guarantee.

    :param pattern: what is asked for.
    :param nodes: what does the steps.
    :raises WorkflowError: where that is asked for which cannot be.
    """
    if pattern == SAGA:
        return Choice(SAGA, "as that was asked for")
    databases = list(dict.fromkeys(node.database for node in nodes if node.database is not None))
    problems = list(agreement.problems(databases))
    if pattern == TWO_PHASE:
        outside = [node.name for node in nodes if node.outside]
        if outside:
            problems.append(
                f"{outside[0]} is outside of any transaction; a saga undoes it by its compensation"
            )
        if problems:
            raise WorkflowError("; ".join(problems))
        return Choice(TWO_PHASE, "as that was asked for")
    functions = [node.name for node in nodes if node.database is None]
    if functions:
        return Choice(SAGA, f"as no transaction can undo whatever the function {functions[0]} does")
    if len(databases) == 1:
        return Choice(LOCAL, f"as {databases[0].name} is all that the steps work on")
    if problems:
        return Choice(SAGA, f"as {problems[0].partition(';')[0]}")
    names = " and ".join(database.name for database in databases)
    return Choice(
        TWO_PHASE, f"if all but one of {names} can prepare a transaction, and else a saga", is_firm=False
    )
