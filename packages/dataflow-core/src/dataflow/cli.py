"""The command ``dataflow``."""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataflow.commands.inspect import add_inspect
from dataflow.hookspecs import hookimpl

if TYPE_CHECKING:
    from argparse import _SubParsersAction

__all__ = ["dataflow_register_commands", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 0, or 1 where something is wrong."""
    from dataflow.errors import DataFlowError
    from dataflow.plugins import plugins

    parser = ArgumentParser(prog="dataflow", description="A database in a workflow.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    try:
        plugins().hooks.dataflow_register_commands(commands=commands)
        chosen = parser.parse_args(arguments)
        status: int = chosen.run(chosen)
        sys.stdout.flush()
    except DataFlowError as error:
        print(f"dataflow: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever reads, such as head, has seen enough; nor may Python tell so when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


@hookimpl
def dataflow_register_commands(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = commands.add_parser("plugins", help="list the installed plugins and what each provides")
    parser.set_defaults(run=_list_plugins)
    add_inspect(commands)


def _list_plugins(_: Namespace) -> int:
    """Print a line for each plugin; one that could not be loaded comes with its reason."""
    from dataflow.plugins import GROUP, plugins

    loaded = plugins()
    rows = [
        (
            plugin.name,
            f"{plugin.distribution} {plugin.version}",
            plugin.problem or ", ".join(loaded.provided_by(plugin.name)),
        )
        for plugin in loaded.known()
    ]
    if not rows:
        print(f"no plugins are installed (entry-point group {GROUP!r}); try: pip install dataflow-sqlite")
    name_width = max((len(row[0]) for row in rows), default=0)
    package_width = max((len(row[1]) for row in rows), default=0)
    for name, package, provides in rows:
        print(f"{name:<{name_width}}  {package:<{package_width}}  {provides}")
    for name in sorted(loaded.disabled):
        print(f"{name:<{name_width}}  disabled by DATAFLOW_DISABLE_PLUGINS")
    return 1 if any(plugin.problem for plugin in loaded.known()) else 0
