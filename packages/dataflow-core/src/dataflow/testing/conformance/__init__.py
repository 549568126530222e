"""The conformance suite: what every dialect must show, a module for each topic."""

from dataflow.testing.conformance.accumulators import AccumulatorTests
from dataflow.testing.conformance.aggregation import AggregationTests
from dataflow.testing.conformance.arrays import ArrayTests
from dataflow.testing.conformance.auto_migration import AutoMigrationTests
from dataflow.testing.conformance.bulk_create import BulkCreateTests
from dataflow.testing.conformance.bulk_create_failures import BulkCreateFailureTests
from dataflow.testing.conformance.bulk_delete import BulkDeleteTests
from dataflow.testing.conformance.bulk_sources import BulkSourceTests
from dataflow.testing.conformance.bulk_update import BulkUpdateTests
from dataflow.testing.conformance.bulk_upsert import BulkUpsertTests
from dataflow.testing.conformance.concurrency import ConcurrencyTests
from dataflow.testing.conformance.create import CreateTests
from dataflow.testing.conformance.delete import DeleteTests
from dataflow.testing.conformance.drivers import DriverTests
from dataflow.testing.conformance.durability import DurabilityTests
from dataflow.testing.conformance.errors import ErrorTests
from dataflow.testing.conformance.filter_bounds import FilterBoundTests
from dataflow.testing.conformance.filters import FilterTests
from dataflow.testing.conformance.generated_pipelines import GeneratedPipelineTests
from dataflow.testing.conformance.generated_workflows import GeneratedWorkflowTests
from dataflow.testing.conformance.inclusion import InclusionTests
from dataflow.testing.conformance.isolation import IsolationTests
from dataflow.testing.conformance.listing import ListingTests
from dataflow.testing.conformance.pipeline_mistakes import PipelineMistakeTests
from dataflow.testing.conformance.query_builder import QueryBuilderTests
from dataflow.testing.conformance.read import ReadTests
from dataflow.testing.conformance.sessions import SessionTests
from dataflow.testing.conformance.soft_delete import SoftDeleteTests
from dataflow.testing.conformance.strangers import StrangerTests
from dataflow.testing.conformance.streams import StreamTests
from dataflow.testing.conformance.transactions import TransactionTests
from dataflow.testing.conformance.two_phase import TwoPhaseTests
from dataflow.testing.conformance.update import UpdateTests
from dataflow.testing.conformance.update_operators import UpdateOperatorTests
from dataflow.testing.conformance.values import ValueTests
from dataflow.testing.conformance.versions import VersionTests
from dataflow.testing.conformance.workflows import WorkflowTests
from dataflow.testing.suite import Suite

__all__ = ["Conformance"]


class Conformance(
    CreateTests,
    ReadTests,
    UpdateTests,
    UpdateOperatorTests,
    DeleteTests,
    ListingTests,
    InclusionTests,
    FilterTests,
    FilterBoundTests,
    AggregationTests,
    AccumulatorTests,
    PipelineMistakeTests,
    GeneratedPipelineTests,
    QueryBuilderTests,
    StreamTests,
    BulkCreateTests,
    BulkSourceTests,
    BulkCreateFailureTests,
    BulkUpdateTests,
    BulkDeleteTests,
    BulkUpsertTests,
    SoftDeleteTests,
    VersionTests,
    ValueTests,
    ArrayTests,
    ErrorTests,
    StrangerTests,
    TransactionTests,
    IsolationTests,
    TwoPhaseTests,
    SessionTests,
    WorkflowTests,
    GeneratedWorkflowTests,
    AutoMigrationTests,
    ConcurrencyTests,
    DriverTests,
    DurabilityTests,
    Suite,
):
    """All topics. A dialect passes when a subclass passes that says where its databases come from."""
