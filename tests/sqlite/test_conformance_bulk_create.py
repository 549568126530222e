"""Bulk creation on SQLite."""

from dataflow.testing.conformance.bulk_create import BulkCreateTests


class TestBulkCreate(BulkCreateTests):
    pass
