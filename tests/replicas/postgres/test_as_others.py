"""Streaming replicas of PostgreSQL do what the replicas of every database do."""

from ..suite import ReplicaTests
from .streaming import WHERE


class TestPostgres(ReplicaTests):
    where = WHERE
