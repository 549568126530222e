"""Aggregations on SQLite."""

from dataflow.testing.conformance.aggregation import AggregationTests


class TestAggregation(AggregationTests):
    pass
