"""Servers of this machine's own software, started for tests in a temporary folder, shared, and never left behind.

A dialect says how its server is set up and started; what is the same for all of them is here. It needs a system with
``fork`` and file locks, so neither Windows nor a browser.
"""

import fcntl
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from dataflow.testing import keeper
from dataflow.testing.provision import NoDatabase
from dataflow.testing.waiting import free_port, wait_until

__all__ = ["Launch", "LocalServer", "Site", "find_program"]


class Site(NamedTuple):
    """Where a server is set up.

    :param folder: its own folder.
    :param port: a port of 127.0.0.1 that is free.
    :param account: who the server runs as, where this process is root's; servers refuse to run as root.
    """

    folder: Path
    port: int
    account: pwd.struct_passwd | None

    def run(self, *command: str | Path) -> None:
        """Run a command in the folder, as the server's account.

        :raises NoDatabase: with what the command said, if it fails.
        """
        done = subprocess.run(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            user=self.account.pw_uid if self.account else None,
            group=self.account.pw_gid if self.account else None,
            extra_groups=[] if self.account else None,
        )
        if done.returncode:
            raise NoDatabase(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


class Launch(NamedTuple):
    """How a server that was set up is started and reached.

    :param command: the server, which stays in the foreground.
    :param url: of a database of it that is always there, for a user who may make and drop databases.
    :param stop_signal: ends it at once, and in such a way that nothing of it stays in the system's memory.
    :param shutdown_signal: ends it as an administrator would who does not wait for its clients.
    """

    command: Sequence[str | Path]
    url: str
    stop_signal: signal.Signals
    shutdown_signal: signal.Signals


class LocalServer:
    """A server that this machine's software provides; see :meth:`share`."""

    def __init__(self, folder: Path, url: str, users: IO[str], answers: Callable[[str], bool]) -> None:
        self.url = url
        self._folder = folder
        self._users = users
        self._answers = answers

    @classmethod
    def share(
        cls,
        where: Path,
        name: str,
        account: str,
        set_up: Callable[[Site], Launch],
        answers: Callable[[str], bool],
    ) -> "LocalServer":
        """The server of this name, started by the first of the processes that name the same folder.

        It ends with the last of them, however that ends, and its files with it.

        :param where: a folder of the run of tests; it holds who uses the server.
        :param name: what the server is called there.
        :param account: who it runs as where this process is root's; ``nobody`` where there is no such user.
        :param set_up: called once, to prepare what the server needs and say how it is started.
        :param answers: whether the server at a URL is ready.
        :raises NoDatabase: where it does not start, with the end of its log.
        """
        with _locked(where / f"{name}.lock"):
            users = (where / f"{name}.users").open("a")
            fcntl.flock(users, fcntl.LOCK_SH)  # waits for a server that is just ending
            note = where / f"{name}.json"
            if note.exists():
                folder, url = json.loads(note.read_text())
                if (Path(folder) / "keeper.pid").exists():
                    return cls(Path(folder), url, users, answers)
            try:
                server = cls._started(name, account, set_up, answers, users)
            except BaseException:
                users.close()
                raise
            note.write_text(json.dumps([str(server._folder), server.url]))
            return server

    @classmethod
    def _started(
        cls,
        name: str,
        account: str,
        set_up: Callable[[Site], Launch],
        answers: Callable[[str], bool],
        users: IO[str],
    ) -> "LocalServer":
        # Not below pytest's folder for temporary files, which the account of the server may not enter.
        folder = Path(tempfile.mkdtemp(prefix=f"dataflow-{name}-"))
        try:
            _let_a_keeper_have(folder, users)
            site = Site(folder, free_port(), _unprivileged(account))
            if site.account is not None:
                os.chown(folder, site.account.pw_uid, site.account.pw_gid)
            launch = set_up(site)
            plan = {
                "command": [str(part) for part in launch.command],
                "user": site.account.pw_uid if site.account else None,
                "group": site.account.pw_gid if site.account else None,
                "stop_signal": launch.stop_signal,
                "shutdown_signal": launch.shutdown_signal,
            }
            (folder / "server.json").write_text(json.dumps(plan))
            server = cls(folder, launch.url, users, answers)
            server.restart()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return server

    def stop(self) -> None:
        """Use the server no longer; without users it ends."""
        self._users.close()

    def kill(self) -> None:
        """End it as a crash would: all its processes, at once."""
        self._signal(signal.SIGUSR1)
        wait_until(self._ended.exists, lambda: NoDatabase("the server could not be killed"))

    def shut_down(self) -> None:
        """End it in order; its clients are told."""
        self._signal(signal.SIGHUP)
        wait_until(self._ended.exists, lambda: NoDatabase("the server does not shut down"))

    def restart(self) -> None:
        """Start it again, with the same URL and what is on its disk."""
        self._ended.unlink(missing_ok=True)
        self._signal(signal.SIGUSR2)
        self._wait_until_it_answers()

    @property
    def _ended(self) -> Path:
        return self._folder / "server.ended"

    def _signal(self, number: signal.Signals) -> None:
        os.kill(int((self._folder / "keeper.pid").read_text()), number)

    def _wait_until_it_answers(self) -> None:
        log = self._folder / "server.log"

        def answers_or_ended() -> bool:
            if self._ended.exists():
                raise NoDatabase(f"the server ended at once:\n{_tail(log)}")
            return self._answers(self.url)

        wait_until(answers_or_ended, lambda: NoDatabase(f"the server does not answer:\n{_tail(log)}"))


def find_program(*names: str, folders: Sequence[str] = ()) -> Path:
    """The first program that there is, in the PATH or in one of the folders.

    :param folders: patterns, such as ``/usr/lib/postgresql/*/bin``; of those that fit, the highest version counts.
    :raises NoDatabase: where there is none.
    """
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return Path(found).resolve()
    fitting = (Path("/").glob(f"{folder[1:]}/{name}") for name in names for folder in folders)
    for files in fitting:
        for file in sorted(files, key=_version, reverse=True):
            return file
    raise NoDatabase(f"there is no program {' or '.join(names)}")


def _let_a_keeper_have(folder: Path, users: IO[str]) -> None:
    """Start the process that removes the folder, and all that came of it, when it has no users any more."""
    subprocess.run(
        [sys.executable, "-IS", keeper.__file__, folder, users.name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # whoever reads the output of the tests waits for all who could write
        stderr=subprocess.DEVNULL,
        check=True,
    )
    wait_until((folder / "keeper.pid").exists, lambda: NoDatabase("the keeper of the server does not start"))


def _version(path: Path) -> list[int]:
    return [int(digits) for digits in re.findall("[0-9]+", str(path))]


def _tail(log: Path) -> str:
    return (
        "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else "(it has no log)"
    )


def _unprivileged(account: str) -> pwd.struct_passwd | None:
    """Who a server runs as: this user, or for root somebody who may less."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(account)
    return pwd.getpwnam("nobody")


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
