"""The process that keeps a server for tests: it starts it, and ends it when nobody is left who uses it.

Run as a script of its own, which imports nothing of DataFlow. Every process that uses the server holds a shared lock
on a file. The system takes the lock away however a process ends, so the keeper needs no goodbyes: as soon as it gets
the lock for itself, the server goes, and its folder with it. In between, ``SIGUSR2`` starts the server, and
``SIGUSR1`` kills it as a crash would.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PATIENCE = 10
PR_SET_PDEATHSIG = 1


class Keeper:
    """One server and its folder.

    :param folder: will hold ``server.json``, which says how to start and to end the server. The keeper writes its own
        process into ``keeper.pid``, and makes the file ``server.ended`` when the server has ended.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan: dict[str, Any] = {}
        self.server: subprocess.Popen[bytes] | None = None
        self.is_killing = False

    def start(self) -> None:
        if self.server is not None and self.server.poll() is None:
            return
        self.plan = json.loads((self.folder / "server.json").read_text())
        who = {name: self.plan[name] for name in ("user", "group") if self.plan[name] is not None}
        with (self.folder / "server.log").open("a") as log:
            try:
                self.server = subprocess.Popen(
                    self.plan["command"],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    preexec_fn=self._follow_the_keeper,
                    extra_groups=[] if who else None,
                    **who,
                )
            except (OSError, subprocess.SubprocessError) as error:
                print(error, file=log)
        self.note_an_end()

    def kill(self) -> None:
        if self.server is not None:
            self.is_killing = True
            send(self.server.pid, signal.SIGSTOP)  # so that it starts no further process
            dying = {self.server.pid, *descendants(self.server.pid)}
            for process in dying:
                send(process, signal.SIGKILL)
            self.server.wait()
            while dying & running():
                time.sleep(0.01)
            self.is_killing = False
        self.note_an_end()

    def shut_down(self) -> None:
        if self.server is not None and self.server.poll() is None:
            self.server.send_signal(self.plan["shutdown_signal"])

    def note_an_end(self) -> None:
        if self.is_killing:
            return  # what the server started may still hold its memory, with which none can start again
        if self.server is None or self.server.poll() is not None:
            (self.folder / "server.ended").touch()

    def stop(self) -> None:
        """End the server in the way that leaves nothing of it in the system, and remove its folder."""
        if self.server is not None and self.server.poll() is None:
            self.server.send_signal(self.plan["stop_signal"])
            try:
                self.server.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
        self._remove_folder()

    def _remove_folder(self) -> None:
        """Remove it, even if a program that sets the server up has not noticed yet that nobody wants it."""
        deadline = time.monotonic() + PATIENCE
        while self.folder.exists() and time.monotonic() < deadline:
            shutil.rmtree(self.folder, ignore_errors=True)
            time.sleep(0.1)

    def _follow_the_keeper(self) -> None:
        """Runs in the server's process before the server does: where the keeper is killed, the server ends."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, self.plan["stop_signal"])


def descendants(process: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    pairs = [(int(child), int(parent)) for child, parent in listed("pid=,ppid=")]
    found = [process]
    for parent in found:  # which grows meanwhile
        found += [child for child, its_parent in pairs if its_parent == parent]
    return found[1:]


def running() -> set[int]:
    """The processes that have not ended, whether or not somebody has taken note of that."""
    return {int(process) for process, state in listed("pid=,stat=") if not state.startswith("Z")}


def listed(columns: str) -> list[list[str]]:
    """What the system tells of all processes."""
    done = subprocess.run(["ps", "-A", "-o", columns], capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()]


def send(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def write(file: Path, process: int) -> None:
    """Whoever sees the file sees all of it."""
    new = file.with_suffix(".new")
    new.write_text(str(process))
    new.rename(file)


def become_a_daemon() -> None:
    """Leave the caller and its terminal, so that neither an interrupt nor the caller's end reaches the keeper."""
    if os.fork():
        os._exit(0)
    os.setsid()


def main(folder: Path, users: Path) -> None:
    become_a_daemon()
    keeper = Keeper(folder)
    for number, reaction in {
        signal.SIGUSR1: keeper.kill,
        signal.SIGUSR2: keeper.start,
        signal.SIGHUP: keeper.shut_down,
        signal.SIGCHLD: keeper.note_an_end,
    }.items():
        signal.signal(number, lambda *_, reaction=reaction: reaction())
    write(folder / "keeper.pid", os.getpid())
    with users.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keeper.stop()  # under the lock: nobody takes this server for one that will stay


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
