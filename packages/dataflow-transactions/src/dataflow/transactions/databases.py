"""The databases that a command is about."""

import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

from dataflow.engine import DataFlow
from dataflow.errors import ConfigurationError

__all__ = ["database_of"]

IN_MODULE = re.compile(r"(?P<module>[^\W\d][\w.]*):(?P<name>[^\W\d]\w*)")


@asynccontextmanager
async def database_of(text: str) -> AsyncIterator[DataFlow]:
    """What a URL means, or ``module:name``, which is looked for where the command runs, too.

    :raises ConfigurationError: where it means nothing.
    """
    named = IN_MODULE.fullmatch(text)
    db = DataFlow(text, auto_migrate=False) if named is None else _in_module(named["module"], named["name"])
    try:
        yield db
    finally:
        await db.close()


def _in_module(module: str, name: str) -> DataFlow:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        db = getattr(import_module(module), name, None)
    except ImportError as error:
        raise ConfigurationError(f"{module} cannot be imported: {error}") from error
    if not isinstance(db, DataFlow):
        raise ConfigurationError(f"{module} has no DataFlow object {name!r}; write module:name of one")
    return db
