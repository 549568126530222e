"""PostgreSQL passes the conformance suite."""

from dataflow.postgres.testing import Postgres
from dataflow.testing import Conformance


class TestPostgres(Conformance):
    provision = Postgres()
