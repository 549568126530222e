"""``dataflow inspect``: shows the tables of a database, or writes them as Python, JSON or a diagram."""

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from dataflow.errors import DataFlowError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from dataflow.discovery.survey import Survey
    from dataflow.url import DatabaseURL

__all__ = ["add_inspect"]

VARIABLES = ("DATAFLOW_DATABASE_URL", "DATABASE_URL")


def add_inspect(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command to those that there are."""
    parser = commands.add_parser(
        "inspect",
        help="show the tables of a database, or write them as Python, JSON or a diagram",
        description="Show the tables of a database, the models that they become, and what they refer to. "
        "The database is only read.",
    )
    parser.add_argument(
        "url",
        nargs="?",
        metavar="URL",
        help=f"where it is, such as sqlite:///shop.db; without it, as {VARIABLES[0]} says, "
        "which also keeps a password out of the list of processes",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--python", action="store_const", dest="form", const="python", help="classes of models")
    form.add_argument("--json", action="store_const", dest="form", const="json", help="all that is known")
    form.add_argument(
        "--mermaid", action="store_const", dest="form", const="mermaid", help="a diagram of the tables"
    )
    parser.set_defaults(run=_inspect, form="outline")


def _inspect(arguments: Namespace) -> int:
    if arguments.url is None and not any(os.environ.get(variable) for variable in VARIABLES):
        print(
            f"dataflow: which database? Write dataflow inspect URL, or set {VARIABLES[0]}",
            file=sys.stderr,
        )
        return 1
    found = _survey(arguments.url)
    if not found.tables:
        print(
            f"dataflow: there are no tables in {found.url}, or none that this user may see", file=sys.stderr
        )
        return 1
    print(_written(found, arguments.form))
    return 0


def _survey(url: str | None) -> "Survey":
    from dataflow.config import DataFlowConfig
    from dataflow.discovery.existing import ExistingDatabase
    from dataflow.discovery.survey import survey
    from dataflow.engine import DataFlow

    asked = DataFlowConfig.resolve(url, {}).database
    with DataFlow(_for_reading(asked), existing_schema_mode=True) as db:
        place = str(asked)
        try:
            return survey(ExistingDatabase(db.databases()["primary"], place), place)
        except DataFlowError as error:
            raise DataFlowError(f"{place}: {error}") from error


def _for_reading(url: "DatabaseURL") -> "DatabaseURL":
    """The URL, so that a database which is a file is opened without a change to it."""
    from dataclasses import replace

    from dataflow.plugins import plugins

    return replace(url, options={**url.options, **plugins().dialect(url.scheme).reading})


def _written(found: "Survey", form: str) -> str:
    if form == "python":
        from dataflow.discovery.sources import python_source

        return python_source(found).rstrip("\n")
    if form == "mermaid":
        from dataflow.discovery.diagrams import er_diagram

        return er_diagram(found.tables)
    if form == "json":
        return _json(found)
    from dataflow.discovery.outlines import outline

    return outline(found)


def _json(found: "Survey") -> str:
    """What :meth:`DataFlow.discover_schema` gives, and of each table its model, or why there is none."""
    from dataflow.discovery.descriptions import described

    schema = described(found.tables)
    for label, table in schema.items():
        table["model"] = found.models[label].name if label in found.models else None
        table["problem"] = found.problems.get(label)
    return json.dumps(schema, ensure_ascii=False, indent=2, default=str)
