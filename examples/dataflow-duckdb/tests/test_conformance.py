"""DuckDB passes DataFlow's conformance suite: all of it in memory, and in files what is different there."""

from collections.abc import Mapping
from typing import ClassVar

from dataflow.testing import Conformance, Suite
from dataflow.testing.conformance.concurrency import ConcurrencyTests
from dataflow.testing.conformance.durability import DurabilityTests
from dataflow.testing.conformance.inclusion import InclusionTests
from dataflow.testing.conformance.streams import StreamTests

from dataflow_duckdb.testing import DuckDBFile, DuckDBMemory

REFERENCES: Mapping[str, str] = dict.fromkeys(
    (
        "test_a_foreign_key_may_name_a_unique_field_of_another_name",
        "test_tables_may_refer_to_each_other_and_to_themselves",
        *(name for name in vars(InclusionTests) if name.startswith("test")),
    ),
    "a foreign key of DuckDB is made with its table, and refers to a key or a constraint, not to an index",
)


class TestMemory(Conformance):
    provision = DuckDBMemory()
    differences: ClassVar[Mapping[str, str]] = {
        **REFERENCES,
        **{
            name: "a database in memory is gone with its connection"
            for name in vars(DurabilityTests)
            if name.startswith("test")
        },
    }


class TestFile(ConcurrencyTests, DurabilityTests, StreamTests, Suite):
    provision = DuckDBFile()
