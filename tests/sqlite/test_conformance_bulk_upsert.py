"""Bulk upserts on SQLite."""

from dataflow.testing.conformance.bulk_upsert import BulkUpsertTests


class TestBulkUpsert(BulkUpsertTests):
    pass
