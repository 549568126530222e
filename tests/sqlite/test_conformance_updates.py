"""Updates of many kinds, on SQLite."""

from dataflow.testing.conformance.bulk_delete import BulkDeleteTests
from dataflow.testing.conformance.bulk_update import BulkUpdateTests
from dataflow.testing.conformance.soft_delete import SoftDeleteTests
from dataflow.testing.conformance.update_operators import UpdateOperatorTests
from dataflow.testing.conformance.versions import VersionTests


class TestUpdateOperators(UpdateOperatorTests):
    pass


class TestBulkUpdate(BulkUpdateTests):
    pass


class TestBulkDelete(BulkDeleteTests):
    pass


class TestSoftDelete(SoftDeleteTests):
    pass


class TestVersions(VersionTests):
    pass
