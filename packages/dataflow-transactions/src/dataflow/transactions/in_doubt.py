"""What was prepared and nobody has ended: it is committed where that was decided, and else it is rolled back."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple, TypeVar

from dataflow.abc import Connection
from dataflow.errors import DataFlowError, QueryError, ValidationError
from dataflow.execution.database import Database
from dataflow.logs import logger
from dataflow.model.field import utcnow
from dataflow.transactions.abilities import refuse_replica, two_phase_of
from dataflow.transactions.borrowing import on_a_connection
from dataflow.transactions.crash import crash_point
from dataflow.transactions.decisions import ABORT, COMMIT, Decision, Decisions
from dataflow.transactions.gids import PREFIX, branch_of, read_gid, unit_age
from dataflow.transactions.homes import HOLDER, Home, homes_of
from dataflow.transactions.identity import identity_on

__all__ = ["Branch", "Outcome", "branches_in_doubt", "recover_branches", "resolve_branch"]

FORGOTTEN_AFTER: Final = timedelta(days=7)
"""How long a decision to roll back is kept, for a coordinator that comes back."""
T = TypeVar("T")
COMMITTED, ROLLED_BACK, ENDED, LEFT = "committed", "rolled back", "ended", "left"
"""What can become of a branch."""
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

    async def end(self, *, commit: bool) -> bool:
        """Commit it or roll it back; whether it was still there."""
        two_phase = two_phase_of(self.database)
        end = two_phase.commit if commit else two_phase.roll_back
        return await _on(self.database, lambda database, connection: end(connection, self.gid))


class Outcome(NamedTuple):
    """What became of a branch.

    :param action: ``committed``, ``rolled back``, ``ended`` if somebody else was faster, or ``left``.
    :param reason: why it was left.
    """

    gid: str
    place: str
    age: float
    action: str
    reason: str = ""


class Site(NamedTuple):
    """A database that was reached, and who it says it is.

    :param decisions: what was decided there.
    """

    database: Database
    identity: str
    decisions: Sequence[Decision]


async def branches_in_doubt(database: Database) -> Sequence[Branch]:
    """What was prepared on a database for units of work such as ours, the oldest first."""
    if database.dialect.two_phase is None:
        return ()
    _, branches = await _on(database, _own)
    return branches


async def recover_branches(databases: Sequence[Database], older_than: float) -> Sequence[Outcome]:
    """End what is in doubt on these databases, as far as the homes of these units of work are among them.

    What nobody has decided is rolled back, and first entered as that, so that a coordinator which is still alive
    decides nothing else.

    :param older_than: how many seconds it must have been there, as younger ones may still be under way.
    """
    # Before the branches: those of a decision that is seen here were all prepared before.
    sites = await _sites(databases)
    homes = homes_of((site.identity, site.database) for site in sites)
    outcomes: dict[str, Outcome] = {}
    left: dict[str, set[str]] = {}
    silent: set[str] = set()
    for site in sites:
        if site.database.dialect.two_phase is None:
            continue
        try:
            identity, branches = await _on(site.database, _own)
        except DataFlowError as error:
            _warn(site.database, error)
            silent.add(site.identity)
            continue
        ended = [await _recover(branch, homes, older_than) for branch in branches]
        left.setdefault(identity, set()).update(one.gid for one in ended if one.action == LEFT)
        outcomes.update((one.gid, one) for one in ended)
    heard = {identity: gids for identity, gids in left.items() if identity not in silent}
    for site in sites:
        await _forget(site.database, [decision for decision in site.decisions if _is_told(decision, heard)])
    return list(outcomes.values())


async def resolve_branch(databases: Sequence[Database], gid: str, *, commit: bool) -> str:
    """End a branch as a person has decided, unless its home is among the databases and says otherwise.

    :returns: what became of it, as the end of a sentence.
    :raises ValidationError: where there is no such branch, or its home says otherwise.
    """
    branch = await _find(databases, gid)
    homes = homes_of((site.identity, site.database) for site in await _sites(databases))
    named = read_gid(gid)
    home = None if named is None else homes.get(named.home)
    if home is not None and named is not None:
        await _check_verdict(home, named.unit, commit=commit)
    if not await branch.end(commit=commit):
        raise ValidationError(
            "somebody else has just ended it; dataflow transactions list shows what is left"
        )
    ended = "is committed" if commit else "is rolled back"
    return (
        ended
        if home is not None
        else f"{ended}; the database that decides about it was not there to be asked"
    )


# ---------------------------------------------------------------------- looking


async def _on(database: Database, work: Callable[[Database, Connection], Awaitable[T]]) -> T:
    return await on_a_connection(database, HOLDER, partial(work, database))


async def _sites(databases: Iterable[Database]) -> Sequence[Site]:
    """Those that can be reached, and know who they are: others have never taken part."""
    sites = []
    for database in databases:
        try:
            site = await _on(database, _site)
        except DataFlowError as error:
            _warn(database, error)
        else:
            sites += [] if site is None else [site]
    return sites


async def _site(database: Database, connection: Connection) -> Site | None:
    await refuse_replica(database, connection)
    identity = await identity_on(database, connection)
    if identity is None:
        return None
    try:
        decisions = await Decisions(database).all(connection)
    except QueryError:
        decisions = ()  # it has no such table, and so never decided anything
    return Site(database, identity, decisions)


async def _own(database: Database, connection: Connection) -> tuple[str, Sequence[Branch]]:
    """Who a database is, and what is prepared on it: a server may tell of its other databases as well."""
    identity = await identity_on(database, connection) or ""
    branches = [
        branch
        for branch in await _prepared(database, connection)
        if (gid := read_gid(branch.gid)) is not None and gid.place == identity
    ]
    return identity, sorted(branches, key=lambda branch: -branch.age)


async def _prepared(database: Database, connection: Connection) -> Sequence[Branch]:
    """All that bears such a name as ours do."""
    await refuse_replica(database, connection)
    found = await two_phase_of(database).in_doubt(connection, PREFIX)
    return [
        Branch(database, one.gid, unit_age(gid.unit) if one.age is None else one.age)
        for one in found
        if (gid := read_gid(one.gid)) is not None
    ]


async def _find(databases: Sequence[Database], gid: str) -> Branch:
    for database in databases:
        if database.dialect.two_phase is not None:
            for branch in await _on(database, _prepared):
                if branch.gid == gid:
                    return branch
    raise ValidationError(
        "there is no transaction in doubt of this name; dataflow transactions list shows those that are there"
    )


def _warn(database: Database, error: DataFlowError) -> None:
    log.warning("%s is left out of recovery: %s", database.place or database.name, error)


# ---------------------------------------------------------------------- ending


async def _recover(branch: Branch, homes: Mapping[str, Home], older_than: float) -> Outcome:
    gid = read_gid(branch.gid)
    assert gid is not None
    home = homes.get(gid.home)
    if branch.age < older_than:
        return _outcome(branch, LEFT, "it may still be under way")
    if home is None:
        return _outcome(
            branch, LEFT, "the database that decides about it was not given, or cannot be reached"
        )
    try:
        decided = await home.settle(gid.unit)
        crash_point("two_phase.recovery.before_branch")
        was_there = await branch.end(commit=decided == COMMIT)
        crash_point("two_phase.recovery.after_branch")
    except DataFlowError as error:
        log.warning("%s on %s could not be ended: %s", branch.gid, branch.place, error)
        return _outcome(branch, LEFT, str(error))
    if not was_there:
        return _outcome(branch, ENDED, "somebody else was faster")
    action = COMMITTED if decided == COMMIT else ROLLED_BACK
    log.info("%s on %s was %s", branch.gid, branch.place, action)
    return _outcome(branch, action)


def _outcome(branch: Branch, action: str, reason: str = "") -> Outcome:
    return Outcome(branch.gid, branch.place, branch.age, action, reason)


async def _check_verdict(home: Home, unit: str, *, commit: bool) -> None:
    """:raises ValidationError: where a home has decided otherwise; that nothing is to be committed is entered there."""
    decided = await (home.decided(unit) if commit else home.settle(unit))
    if commit and decided != COMMIT:
        raise ValidationError(
            "the database that decides about it has not decided to commit it, and has nothing of what belongs to it: "
            "roll it back (--abort), or let recovery do that"
        )
    if not commit and decided == COMMIT:
        raise ValidationError(
            "the database that decides about it has decided to commit it, and has done its part: commit it (--commit), "
            "or let recovery do that"
        )


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


def _is_told(decision: Decision, left: Mapping[str, set[str]]) -> bool:
    """Whether a decision is of no use any more.

    A branch was committed that is nowhere to be seen in the very database on which it was prepared; that a database in
    its place does not have it says nothing.

    :param left: what is still prepared, by the identity of each database that was asked.
    """
    if decision.state == ABORT:
        return utcnow() - decision.decided_at > FORGOTTEN_AFTER
    return all(
        place in left and branch_of(decision.id, place) not in left[place] for place in decision.others
    )
