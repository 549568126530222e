"""What ``./dev`` does: make the environment that a command needs, then run the command in it.

All of it stays in ``.dev/`` in the checkout; delete the folder and the next command makes it again.
A bare Python is enough to begin with: pip is fetched where Python came without it, pip installs uv,
uv installs hatch, and hatch makes the environments of ``hatch.toml``. A fingerprint in each environment
tells whether it is still what the files ask for.
"""

import ast
import fcntl
import hashlib
import importlib.util
import os
import shutil
import ssl
import subprocess
import sys
import time
import tomllib
import urllib.request
import venv
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import urljoin

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".dev"
CACHE = HOME / "cache"
TOOLS = HOME / "tools"
UV = TOOLS / "bin/uv"
PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


# ---------------------------------------------------------------------------------------------- commands


def demo(arguments: Sequence[str]) -> NoReturn:
    """show what DataFlow does, in a minute"""
    become("default", "examples/demo.py", *arguments)


def test(arguments: Sequence[str]) -> NoReturn:
    """run the tests; arguments go to pytest: ./dev test -k bulk, ./dev test --cov"""
    become("default", "-m", "pytest", *arguments)


def check(arguments: Sequence[str]) -> int:
    """lint, format, types and layers: all that is checked without running the code"""
    python = environment("check")
    plugins = sorted(path.parent.name for path in ROOT.glob("packages/*/src/dataflow/*/py.typed"))
    packages = [f"--package=dataflow{name}" for name in ("", *(f".{plugin}" for plugin in plugins))]
    steps = {
        "lint": [["ruff", "check", "--output-format=concise"]],
        "format": [["ruff", "format", "--check", "--output-format=concise"]],
        "types (mypy)": [["mypy", *packages], ["mypy"]],
        "types (pyright)": [["pyright", "--pythonpath", python]],
        "layers": [["pytest", "-q", "tests/packaging/test_layers.py"]],
    }

    def step(name: str) -> bool:
        began = time.monotonic()
        for command in steps[name]:
            done = subprocess.run(
                [python, "-m", *command], cwd=ROOT, env=settings("check"), capture_output=True, text=True
            )
            if done.returncode:
                print(f"FAILED  {name}: {' '.join(command)}\n{done.stdout}{done.stderr}", flush=True)
                return False
        print(f"ok      {name} ({time.monotonic() - began:.0f} s)", flush=True)
        return True

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return 0 if all(list(pool.map(step, steps))) else 1


def fix(arguments: Sequence[str]) -> int:
    """format the code and repair what ruff can repair"""
    python = environment("check")
    commands = (["check", "--fix", *arguments], ["format", *arguments])
    codes = [
        subprocess.run([python, "-m", "ruff", *command], cwd=ROOT, env=settings("check")).returncode
        for command in commands
    ]
    return max(codes)


def bench(arguments: Sequence[str]) -> NoReturn:
    """measure: ./dev bench --help"""
    become("bench", "-m", "benchmarks", *arguments)


def mutants(arguments: Sequence[str]) -> NoReturn:
    """put faults into the code and see whether a test notices: ./dev mutants --help"""
    become("default", "-m", "tools.mutants", *arguments)


def matrix(arguments: Sequence[str]) -> NoReturn:
    """run tox, every Python and database: ./dev matrix -e py311-unit,lowest"""
    environment("default")
    os.chdir(ROOT)
    os.execve(UV, [str(UV), "tool", "run", "--with", "tox-uv", "tox", *arguments], settings("default"))


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    command.__name__: command for command in (demo, test, check, fix, bench, mutants, matrix)
}


def main() -> int:
    name, *arguments = sys.argv[1:] or ["help"]
    if name in ("help", "-h", "--help"):
        print("usage: ./dev COMMAND [ARGUMENTS]\n")
        for command in COMMANDS.values():
            print(f"  {command.__name__:8}{command.__doc__}")
        print("\nThe first command makes an environment in .dev/, the next ones use it.")
        print("DEV_PYTHON chooses the Python: DEV_PYTHON=python3.13 ./dev test")
        return 0
    if name not in COMMANDS:
        raise SystemExit(f"dev: there is no command {name!r}; ./dev alone lists them")
    try:
        return COMMANDS[name](arguments)
    except KeyboardInterrupt:
        return 130
    except PermissionError as error:
        raise SystemExit(f"dev: {error}; is .dev/ another user's? Delete it and try again") from None


def become(name: str, *arguments: str) -> NoReturn:
    """Let the Python of an environment take the place of this process, at the root of the repository."""
    python = environment(name)
    os.chdir(ROOT)
    os.execve(python, [python, *arguments], settings(name))


# ------------------------------------------------------------------------------------------ environments


def environment(name: str) -> str:
    """The Python of an environment of hatch.toml, made first where it is missing or out of date."""
    folder = HOME / name
    python = folder / "bin/python"
    if not is_current(folder):
        with one_at_a_time():
            if not is_current(folder):
                say(f"making .dev/{folder.name}, once")
                if not is_current(TOOLS):
                    make_tools()
                shutil.rmtree(folder, ignore_errors=True)
                run(TOOLS / "bin/python", "-m", "hatch", "env", "create", name, env=settings() | indexes())
                remember(folder)
    return str(python)


def make_tools() -> None:
    python = TOOLS / "bin/python"
    has_pip = importlib.util.find_spec("ensurepip") is not None
    venv.create(TOOLS, clear=True, symlinks=True, with_pip=has_pip)
    (TOOLS / "hatch.toml").touch()  # not the user's configuration
    pip = ["-m", "pip"] if has_pip else [f"{fetch_pip()}/pip"]
    run(python, *pip, "install", "--quiet", "pip", "uv>=0.9", env=settings())
    run(UV, "pip", "install", "--python", python, "hatch>=1.16.5,<2", env=settings() | indexes())
    remember(TOOLS)


def fetch_pip() -> Path:
    """Debian and Ubuntu split pip and ensurepip off: fetch pip's wheel, which runs as it is."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    before, found, _ = fetch(index).decode().partition(PIP_WHEEL)
    if not found:
        raise SystemExit(f"dev: {index} does not have {PIP_WHEEL}; install pip or python3-venv and try again")
    content = fetch(urljoin(index, before.rpartition('href="')[2] + PIP_WHEEL))
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        raise SystemExit(f"dev: {PIP_WHEEL} did not arrive as it was published; try again")
    wheel = TOOLS / PIP_WHEEL
    wheel.write_bytes(content)
    return wheel


def fetch(url: str) -> bytes:
    trusted = ssl.create_default_context(cafile=os.environ.get("PIP_CERT"))
    request = urllib.request.Request(url, headers={"Accept": "text/html"})
    try:
        with urllib.request.urlopen(request, timeout=60, context=trusted) as answer:
            return bytes(answer.read())
    except OSError as error:
        raise SystemExit(f"dev: cannot fetch pip ({error}); is the network there?") from None


def indexes() -> dict[str, str]:
    """What the user told pip about indexes and certificates, said again for uv, which does not read it."""
    found = run(TOOLS / "bin/python", "-m", "pip", "config", "list", env=settings())
    told = dict(line.split("=", 1) for line in found.splitlines() if "=" in line)
    names = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
    return {
        names[key]: str(ast.literal_eval(value))
        for full_key, value in told.items()
        if (key := full_key.rpartition(".")[2]) in names and names[key] not in os.environ
    }


def settings(name: str | None = None) -> dict[str, str]:
    """The variables for what is run here: the user's, less those that point to other environments."""
    foreign = ("HATCH_", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    ours = {
        "HATCH_CACHE_DIR": str(CACHE / "hatch"),
        "HATCH_CONFIG": str(TOOLS / "hatch.toml"),
        "HATCH_DATA_DIR": str(CACHE / "hatch-data"),
        "HATCH_ENV_TYPE_VIRTUAL_UV_PATH": str(UV),
        "HATCH_PYTHON": base_python(),
    }
    defaults = {
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
        "UV_CACHE_DIR": str(CACHE / "uv"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_SYSTEM_CERTS": "true",
    }
    if name:
        folder = HOME / name
        ours["VIRTUAL_ENV"] = str(folder)
        ours["PATH"] = os.pathsep.join([str(folder / "bin"), os.environ.get("PATH", os.defpath)])
    return defaults | kept | ours


def base_python() -> str:
    """The Python that the user has, even where this runs in .dev/tools."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


# ------------------------------------------------------------------------------------------ fingerprints


def fingerprint() -> str:
    """Changes with whatever decides what is installed: the Python, the place, the files that list it."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    files = [Path(__file__), ROOT / "hatch.toml", *sorted(ROOT.glob("packages/*/pyproject.toml"))]
    parts = [sys.version, base_python(), str(ROOT), repr(groups), *(file.read_text() for file in files)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def is_current(folder: Path) -> bool:
    note = folder / "fingerprint"
    return note.is_file() and note.read_text() == fingerprint() and (folder / "bin/python").exists()


def remember(folder: Path) -> None:
    (folder / "fingerprint").write_text(fingerprint())


@contextmanager
def one_at_a_time() -> Iterator[None]:
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(*command: str | Path, env: dict[str, str]) -> str:
    """Run a command quietly; where it fails, show what it said and stop."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise SystemExit("dev: the environment could not be made; what went wrong is said above")
    return done.stdout


def say(text: str) -> None:
    print(f"dev: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
