"""Kills processes at random instants, and servers now and then, and looks each time whether all is well.

``.dev/default/bin/python -m tests.transactions.crash.long_run --kills 1000`` in the folder of the project, after
``./dev test``. It starts servers of its own and takes about a second for each kill. The tests do not run it.
"""

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Provision, Server, Session
from tests.transactions.crash.bank import FORMS
from tests.transactions.crash.books import Books
from tests.transactions.crash.walker import SECONDS_TO_RECOVER, Processes, recover

ACCOUNTS = 10
"""Few, so that transfers meet."""
LONGEST_LIFE = 0.6  # seconds
A_RESTART_DIES, A_SERVER_DIES = 0.3, 0.03

ONE = Postgres(own=True, settings=("max_prepared_transactions=20",))
ANOTHER = Postgres(own=True, settings=("max_prepared_transactions=21",))
MARIADB = MySQL(own=True)
PAIRS: dict[str, tuple[Provision | None, Provision]] = {
    "PostgreSQL and PostgreSQL": (ONE, ANOTHER),
    "PostgreSQL and MariaDB": (ONE, MARIADB),
    "SQLite and PostgreSQL": (None, ONE),
}


class Bank(NamedTuple):
    """A bank on a pair of databases.

    :param servers: those that may be killed.
    """

    name: str
    books: Books
    servers: Sequence[Server]


class Run:
    """Kills, and counts what it has killed."""

    def __init__(self, banks: Sequence[Bank], processes: Processes, seed: int) -> None:
        self._banks = banks
        self._processes = processes
        self._random = random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.longest = 0.0
        """Seconds that it took, at most, until all was in its final state."""

    def kill_something(self) -> None:
        """Have transfers made until something is killed, start again, and see that all is well."""
        bank = self._random.choice(self._banks)
        form = self._random.choice(sorted(FORMS))
        self._kill(bank.name, "work", form, str(ACCOUNTS), *bank.books.urls)
        if self._random.random() < A_SERVER_DIES:
            server = self._random.choice(bank.servers)
            server.kill()
            server.restart()
            self.kills["a server"] += 1
        restarted = monotonic()
        while self._random.random() < A_RESTART_DIES:
            self._kill("a restart", "recover", *bank.books.urls)
        recover(self._processes, bank.books, restarted + SECONDS_TO_RECOVER)
        self.longest = max(self.longest, monotonic() - restarted)
        for number, line in bank.books.lines().items():
            assert line.is_right, (bank.name, form, number, line)
        assert not (wrong := bank.books.wrong_notices()), (bank.name, wrong)

    def _kill(self, what: str, *arguments: str) -> None:
        life = self._random.uniform(0, LONGEST_LIFE)
        if self._processes.run(*arguments, killed_after=life).died:
            self.kills[what] += 1


@contextmanager
def opened(folder: Path) -> Iterator[Sequence[Bank]]:
    """The banks, on servers that are started for them."""
    with ExitStack() as stack:
        servers: dict[Provision, Server] = {}
        for number, provision in enumerate((ONE, ANOTHER, MARIADB)):
            own = folder / str(number)
            own.mkdir()
            servers[provision] = provision.start(Session("main", own, own))
            stack.callback(servers[provision].stop)
        banks = []
        for name, pair in PAIRS.items():
            urls = [
                f"sqlite:///{folder}/bank.db"
                if provision is None
                else stack.enter_context(servers[provision].database())
                for provision in pair
            ]
            books = Books((urls[0], urls[1]))
            stack.callback(books.close)
            books.open(ACCOUNTS)
            banks.append(Bank(name, books, [servers[one] for one in pair if one is not None]))
        yield banks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="end after so many, however few kills"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    began = monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="dataflow-bank-") as folder,
        Processes() as processes,
        opened(Path(folder)) as banks,
    ):
        run = Run(banks, processes, options.seed)
        while run.kills.total() < options.kills and monotonic() - began < options.seconds:
            run.kill_something()
            if run.kills.total() % 50 == 0:
                print(dict(run.kills), flush=True)
        transfers = sum(line.noted for bank in banks for line in bank.books.lines().values())
        sagas = sum((bank.books.sagas() for bank in banks), Counter[str]())
    print(
        f"{run.kills.total()} kills in {monotonic() - began:.0f} s: {dict(run.kills)}; "
        f"{transfers} transfers were made, sagas: {dict(sagas)}; "
        f"all was in its final state {run.longest:.1f} s after a restart at the latest"
    )


if __name__ == "__main__":
    main()
