"""Who takes part on which database: a module for each."""

from collections.abc import Mapping

from benchmarks.entries import Database
from benchmarks.lineup.mysql import MYSQL
from benchmarks.lineup.postgres import POSTGRES
from benchmarks.lineup.sqlite import SQLITE

__all__ = ["DATABASES"]

DATABASES: Mapping[str, Database] = {"sqlite": SQLITE, "postgres": POSTGRES, "mysql": MYSQL}
