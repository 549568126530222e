"""The loggers of the library: ``dataflow.*``. It logs seldom, so that logging is not imported before it does."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging import Logger

__all__ = ["logger"]


def logger(name: str) -> "Logger":
    """The logger of a name such as ``"dataflow.schema"``."""
    from logging import getLogger

    return getLogger(name)
