"""The same steps lead to the same outcome on every database: SQLite beside each of the others.

The suite compares each database with plain Python where there is an oracle. Here the databases are compared with each
other, so that nothing needs to be calculated twice, and what comes in which order counts as well.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from types import MappingProxyType
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow, LocalRuntime
from dataflow.capabilities import Capability
from dataflow.errors import WorkflowExecutionError
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Provision
from dataflow.testing.conformance.generated_pipelines import (
    COLUMNS,
    NULLABLE,
    VALUES,
    alike,
    alike_in_some_order,
)
from dataflow.testing.conformance.generated_workflows import build, fill, told
from dataflow.testing.conformance.sales import define_sale
from dataflow.testing.conformance.update_operators import define_figures
from dataflow.testing.examples import SOME
from dataflow.testing.oracle.pipelines import evaluate
from dataflow.testing.strategies import changes
from dataflow.testing.strategies.filters import Specimen, World, worlds
from dataflow.testing.strategies.pipelines import pipelines
from dataflow.testing.strategies.workflows import Graph, graphs, handling_no_failure

from .alike import Pair, Row, same

pytest_plugins = ["dataflow.testing.plugin"]
pytestmark = pytest.mark.timeout(
    600
)  # where something is found, the search for a small example takes its time

Strategies: TypeAlias = Mapping[str, st.SearchStrategy[Any]]
PROVISIONS = [
    pytest.param(Postgres(), id="postgres", marks=pytest.mark.postgres),
    pytest.param(MySQL(), id="mysql", marks=pytest.mark.mysql),
]


@pytest.fixture(params=PROVISIONS)
def pair(request: pytest.FixtureRequest, fresh_database: Callable[[Provision], str]) -> Iterator[Pair]:
    with DataFlow() as one, DataFlow(fresh_database(request.param), auto_migrate=True) as other:
        yield Pair(one, other, Counter())


def steps(world: World) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """What can be asked of the rows of a world, and done to them."""
    filters = st.sampled_from(world.filters)
    names = sorted(world.rows[0]) if world.rows else ["whole"]
    sortable = st.sampled_from([name for name in names if name not in ("data", "items")])
    order = st.lists(st.tuples(st.sampled_from(["", "-"]), sortable).map("".join), max_size=2, unique_by=bare)
    listed = called(
        "ListNode",
        {"filter": filters, "order_by": order.map(lambda order: [*order, "id"])},
        {"limit": st.integers(0, 4), "offset": st.integers(0, 3), "fields": st.just(["id", *names[:3]])},
    )
    counted = called("ListNode", {"filter": filters, "count_only": st.just(True)})
    if not world.rows:
        return listed | counted
    to_change = filters | st.just({"id": {"$gt": 1}})  # which changes something more often
    rows = st.sampled_from(world.rows)
    update = rows.flatmap(lambda row: st.sampled_from(names).map(lambda name: {name: row[name]}))
    return st.one_of(
        listed,
        listed,
        counted,
        called("BulkUpdateNode", {"filter": to_change, "update": update}),
        called("BulkUpsertNode", {"data": with_ids(rows, 8)}),
        called(
            "BulkCreateNode", {"data": with_ids(rows, 30), "on_error": st.sampled_from(["abort", "continue"])}
        ),
        called("BulkDeleteNode", {"filter": to_change}),
    )


def called(
    node: str, required: Strategies, optional: Strategies = MappingProxyType({})
) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    parameters = st.fixed_dictionaries(dict(required), optional=dict(optional))
    return st.tuples(st.just(f"Specimen{node}"), parameters)


def with_ids(rows: st.SearchStrategy[Row], greatest: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.builds(lambda id, row: {"id": id, **row}, st.integers(1, greatest), rows), max_size=4)


def bare(name: str) -> str:
    return name.removeprefix("-")


def test_generated_steps_have_the_same_outcome(pair: Pair) -> None:
    pair.define(lambda db: db.model(Specimen))

    @SOME
    @given(data=st.data(), world=worlds(infinity=pair.have(Capability.INFINITY)))
    def check(data: st.DataObject, world: World) -> None:
        pair.run("SpecimenBulkDeleteNode", filter={}, confirmed=True)
        kept = pair.store("Specimen", [{"id": id, **row} for id, row in enumerate(world.rows, 1)])
        assert pair.agree("SpecimenListNode", order_by=["id"])
        rows = tuple(world.rows[index] for index in kept)
        for node, parameters in data.draw(st.lists(steps(replace(world, rows=rows)), min_size=3, max_size=9)):
            if not pair.agree(node, **parameters):
                return  # a filter has a value that only one of them can hold: their rows may differ from here on
        assert pair.agree("SpecimenListNode", order_by=["id"])

    check()
    changing = ("BulkCreateNode", "BulkUpdateNode", "BulkUpsertNode", "BulkDeleteNode")
    pair.must_have_compared(*(f"Specimen{node}" for node in ("ListNode", *changing)))


def test_generated_pipelines_have_the_same_outcome(pair: Pair) -> None:
    pair.define(define_sale)
    cells = {
        name: VALUES[type] | st.none() if name in NULLABLE else VALUES[type] for name, type in COLUMNS.items()
    }
    numbers = count(1)

    @SOME
    @given(rows=st.lists(st.fixed_dictionaries(cells), max_size=8), stages=pipelines(COLUMNS, VALUES))
    def check(rows: list[dict[str, Any]], stages: list[dict[str, Any]]) -> None:
        table = [{"id": next(numbers), **row} for row in rows]
        assert pair.agree("SaleBulkCreateNode", data=table)
        filter = {"id": {"$in": [row["id"] for row in table]}}
        expected, found = (
            output["records"] for output in pair.run("SaleListNode", aggregate=stages, filter=filter)
        )
        _, ordered = evaluate([{**row, "tags": []} for row in table], stages)
        agree = alike if ordered else alike_in_some_order
        assert agree(found, expected), f"{found}\nSQLite: {expected}"
        pair.compared["SaleListNode"] += len(found)

    check()
    pair.must_have_compared("SaleBulkCreateNode", "SaleListNode")


def test_generated_updates_have_the_same_outcome(pair: Pair) -> None:
    pair.define(define_figures)
    ids = count(1)

    @SOME
    @given(
        row=changes.rows(),
        updates=st.lists(st.tuples(st.booleans(), changes.documents()), min_size=1, max_size=3),
    )
    def check(row: Row, updates: Sequence[tuple[bool, Row]]) -> None:
        id = next(ids)
        if not pair.store("Figure", [{"id": id, **row}]):
            return
        for bulk, document in updates:
            if bulk:
                agreed = pair.agree("FigureBulkUpdateNode", filter={"id": id}, update=document)
            else:
                agreed = pair.agree("FigureUpdateNode", id=id, updates=document)
            if not agreed:
                return
            assert pair.agree("FigureReadNode", id=id)

    check()
    pair.must_have_compared("FigureUpdateNode", "FigureBulkUpdateNode", "FigureReadNode")


def test_generated_workflows_have_the_same_outcome(pair: Pair) -> None:
    @SOME
    @given(graph=graphs())
    def check(graph: Graph) -> None:
        if not pair.have(Capability.SAVEPOINTS):
            graph = handling_no_failure(graph)
        expected, found = (run(graph, db) for db in (pair.one, pair.other))
        assert same(found, expected), f"{graph}\n{found}\nSQLite: {expected}"
        pair.compared["failed" if found["failed"] else "succeeded"] += len(found["results"])
        assert pair.agree("ItemListNode", order_by=["id"])

    check()
    pair.must_have_compared("failed", "succeeded", "ItemListNode")


def run(graph: Graph, db: DataFlow) -> dict[str, Any]:
    """What a workflow comes to: the outputs, and which node failed the run, for which kind of reason."""
    fill(db)
    try:
        results, _ = LocalRuntime().execute(build(graph, db))
    except WorkflowExecutionError as error:
        return {"results": told(error.results), "failed": [error.node, type(error.cause).__name__]}
    return {"results": told(results), "failed": []}
