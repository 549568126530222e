"""SQLite passes the conformance suite: all of it in memory, and in files what depends on connections."""

from dataflow.sqlite.testing import SQLiteFile, SQLiteMemory
from dataflow.testing import Conformance, Suite
from dataflow.testing.conformance.auto_migration import AutoMigrationTests
from dataflow.testing.conformance.concurrency import ConcurrencyTests
from dataflow.testing.conformance.drivers import DriverTests
from dataflow.testing.conformance.durability import DurabilityTests
from dataflow.testing.conformance.errors import ErrorTests
from dataflow.testing.conformance.generated_workflows import GeneratedWorkflowTests
from dataflow.testing.conformance.streams import StreamTests
from dataflow.testing.conformance.transactions import TransactionTests
from dataflow.testing.conformance.workflows import WorkflowTests

GONE = "a database in memory is gone with its connection"


class TestMemory(Conformance):
    provision = SQLiteMemory()
    differences = {name: GONE for name in vars(DurabilityTests) if name.startswith("test")}  # noqa: RUF012


class TestFile(
    TransactionTests,
    WorkflowTests,
    GeneratedWorkflowTests,
    ConcurrencyTests,
    DriverTests,
    DurabilityTests,
    AutoMigrationTests,
    ErrorTests,
    StreamTests,
    Suite,
):
    provision = SQLiteFile()
