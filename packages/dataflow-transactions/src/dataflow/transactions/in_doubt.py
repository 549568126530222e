"""What was prepared and nobody has ended: it is committed where that was decided, and else it is rolled back."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from dataflow.abc import Connection
from dataflow.errors import DataFlowError, QueryError, UniqueViolation
from dataflow.execution.database import Database
from dataflow.logs import logger
from dataflow.model.field import utcnow
from dataflow.transactions.crash import crash_point
from dataflow.transactions.decisions import ABORT, COMMIT, Decision, Decisions, on_a_connection
from dataflow.transactions.gids import PREFIX, read_gid, unit_age

__all__ = ["Branch", "Outcome", "branches_in_doubt", "end_branch", "recover_branches"]

HOLDER = "the recovery of transactions"
FORGOTTEN_AFTER: Final = timedelta(days=7)
"""How long a decision to roll back is kept, for a coordinator that comes back."""
log = logger("dataflow.transactions")


class Branch(NamedTuple):
    """A transaction that was prepared, and where.

    :param age: for how many seconds, as far as anybody knows.
    """

    database: Database
    gid: str
    age: float

    @property
    def place(self) -> str:
        """Where it is, as people know it."""
        return self.database.place or self.database.name


class Outcome(NamedTuple):
    """What became of a branch.

    :param action: ``committed``, ``rolled back`` or ``left``.
    :param reason: why it was left.
    """

    gid: str
    place: str
    age: float
    action: str
    reason: str = ""


async def branches_in_doubt(database: Database) -> Sequence[Branch]:
    """What was prepared on a database for units of work such as ours, the oldest first."""
    two_phase = database.dialect.two_phase
    if two_phase is None:
        return ()

    found = await on_a_connection(database, HOLDER, lambda connection: two_phase.in_doubt(connection, PREFIX))
    branches = []
    for one in found:
        gid = read_gid(one.gid)
        if gid is not None:
            branches.append(Branch(database, one.gid, unit_age(gid.unit) if one.age is None else one.age))
    return sorted(branches, key=lambda branch: -branch.age)


async def recover_branches(databases: Sequence[Database], older_than: float) -> Sequence[Outcome]:
    """End what is in doubt on these databases, as far as the homes of these units of work are among them.

    What nobody has decided is rolled back, and first entered as that, so that a coordinator which is still alive
    decides nothing else.

    :param older_than: how many seconds it must have been there, as younger ones may still be under way.
    """
    homes = await _homes(databases)
    # Before the branches: those of a decision that is seen here were all prepared before.
    decided = {home: await _decisions(home) for home in homes.values()}
    reached: dict[str, set[str]] = {}
    outcomes: list[Outcome] = []
    for database in databases:
        if database.dialect.two_phase is None:
            continue
        try:
            branches = await branches_in_doubt(database)
        except DataFlowError as error:
            log.warning("%s cannot be reached for recovery: %s", database.place or database.name, error)
            continue
        for branch in branches:
            outcomes.append(await _recover(branch, homes, older_than))
        reached[database.place] = {outcome.gid for outcome in outcomes if outcome.action == "left"}
    for home, decisions in decided.items():
        await _forget(home, [decision for decision in decisions if _is_told(decision, reached)])
    return outcomes


async def end_branch(branch: Branch, *, commit: bool) -> bool:
    """Commit a branch or roll it back, whatever was decided; whether it was still there."""
    two_phase = branch.database.dialect.two_phase
    assert two_phase is not None
    end = two_phase.commit if commit else two_phase.roll_back
    return await on_a_connection(branch.database, HOLDER, lambda connection: end(connection, branch.gid))


async def _homes(databases: Sequence[Database]) -> Mapping[str, Database]:
    """The databases that are home to units of work, by their identity."""
    homes = {}
    for database in databases:
        try:
            identity = await on_a_connection(database, HOLDER, Decisions(database).known_identity)
        except QueryError:
            continue  # it has no such table, and so never decided anything
        except DataFlowError as error:
            log.warning("%s cannot be reached for recovery: %s", database.place or database.name, error)
            continue
        if identity is not None:
            homes[identity] = database
    return homes


async def _recover(branch: Branch, homes: Mapping[str, Database], older_than: float) -> Outcome:
    gid = read_gid(branch.gid)
    assert gid is not None
    home = homes.get(gid.home)
    if branch.age < older_than:
        return _left(branch, "it may still be under way")
    if home is None:
        return _left(branch, "the database that decides about it was not given, or cannot be reached")
    try:
        decided = await on_a_connection(
            home, HOLDER, lambda connection: _decision(Decisions(home), connection, gid.unit)
        )
        crash_point("two_phase.recovery.before_branch")
        await end_branch(branch, commit=decided == COMMIT)
        crash_point("two_phase.recovery.after_branch")
    except DataFlowError as error:
        log.warning("%s on %s could not be ended: %s", branch.gid, branch.place, error)
        return _left(branch, str(error))
    action = "committed" if decided == COMMIT else "rolled back"
    log.info("%s on %s was %s", branch.gid, branch.place, action)
    return Outcome(branch.gid, branch.place, branch.age, action)


def _left(branch: Branch, reason: str) -> Outcome:
    return Outcome(branch.gid, branch.place, branch.age, "left", reason)


async def _decision(decisions: Decisions, connection: Connection, unit: str) -> str:
    """What was decided of a unit of work; if nothing was, it is now."""
    while True:
        decided = await decisions.read(connection, unit)
        if decided is not None:
            return decided
        crash_point("two_phase.fence.before_row")
        try:
            await decisions.enter(connection, unit, ABORT)
        except UniqueViolation:
            continue  # its coordinator was faster
        crash_point("two_phase.fence.after_row")
        return ABORT


async def _decisions(home: Database) -> Sequence[Decision]:
    try:
        return await on_a_connection(home, HOLDER, Decisions(home).all)
    except DataFlowError as error:
        log.warning("%s: the decisions could not be read: %s", home.place or home.name, error)
        return ()


async def _forget(home: Database, told: Sequence[Decision]) -> None:
    """Remove decisions that nobody can ask for any more."""
    decisions = Decisions(home)

    async def remove(connection: Connection) -> None:
        for decision in told:
            await decisions.remove(connection, decision.id)

    try:
        if told:
            await on_a_connection(home, HOLDER, remove)
    except DataFlowError as error:
        log.warning("%s: old decisions could not be removed: %s", home.place or home.name, error)


def _is_told(decision: Decision, reached: Mapping[str, set[str]]) -> bool:
    """Whether a decision is of no use any more: a branch that is nowhere to be seen was committed."""
    if decision.state == ABORT:
        return utcnow() - decision.decided_at > FORGOTTEN_AFTER
    return all(
        place in reached and f"{decision.id}:{number}" not in reached[place]
        for number, place in decision.places.items()
    )
