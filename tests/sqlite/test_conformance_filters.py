"""The filter language on SQLite."""

from dataflow.testing.conformance.filters import FilterTests


class TestFilters(FilterTests):
    pass
