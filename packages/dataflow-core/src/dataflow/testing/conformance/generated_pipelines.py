"""Generated aggregations beside a plain Python evaluator."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from math import isclose
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow
from dataflow.testing.conformance.sales import aggregate, define_sale
from dataflow.testing.examples import MANY
from dataflow.testing.oracle.pipelines import evaluate
from dataflow.testing.strategies.pipelines import pipelines

__all__ = ["GeneratedPipelineTests"]

MOMENTS = [datetime(2024, 2, 29, 23, 59, 59, number, UTC) for number in (0, 1, 999_999)]
NAMES = ["a", "B", "ä", "Ω", "", "a ", "%"]

COLUMNS: Mapping[str, type] = {
    "region": str,
    "product": int,
    "amount": int,
    "price": Decimal,
    "weight": float,
    "paid": bool,
    "sold_at": datetime,
    "took": timedelta,
}
# Few values, so that they meet again; halves and quarters, which floats add up without an error.
VALUES: Mapping[type, st.SearchStrategy[Any]] = {
    str: st.sampled_from(NAMES),
    int: st.integers(-3, 3),
    Decimal: st.decimals("-9.99", "20", places=2) | st.sampled_from([Decimal("1E+16"), Decimal("1E-20")]),
    float: st.integers(-8, 8).map(lambda quarters: quarters / 4),
    bool: st.booleans(),
    datetime: st.sampled_from(MOMENTS),
    timedelta: st.integers(-5, 5).map(lambda microseconds: timedelta(microseconds=microseconds)),
}
NULLABLE = ("region", "amount", "price", "weight", "sold_at")


def alike(one: Any, other: Any) -> bool:
    """Equal, save for the last digits of a float."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-12, abs_tol=1e-12)
    return bool(one == other)


def alike_in_some_order(some: Sequence[Any], others: Sequence[Any]) -> bool:
    remaining = list(others)
    for one in some:
        position = next((at for at, other in enumerate(remaining) if alike(one, other)), None)
        if position is None:
            return False
        del remaining[position]
    return not remaining


class GeneratedPipelineTests:
    """A pipeline does what the evaluator does."""

    def test_generated_pipelines_do_what_plain_python_does(self, db: DataFlow) -> None:
        define_sale(db)
        rows = st.lists(
            st.fixed_dictionaries(
                {
                    name: VALUES[type] | st.none() if name in NULLABLE else VALUES[type]
                    for name, type in COLUMNS.items()
                }
            ),
            max_size=8,
        )
        numbers = count(1)

        @MANY
        @given(rows=rows, stages=pipelines(COLUMNS, VALUES))
        def check(rows: list[dict[str, Any]], stages: list[dict[str, Any]]) -> None:
            # A batch of its own for each example: to make a table anew would take much longer.
            table = [{"id": next(numbers), **row} for row in rows]
            if table:
                db.run_sync(db.nodes.SaleBulkCreateNode(data=table))
            ids = [row["id"] for row in table]
            found = aggregate(db, *stages, filter={"id": {"$in": ids}})
            stored = [{**row, "tags": []} for row in table]
            expected, ordered = evaluate(stored, stages)
            agree = alike if ordered else alike_in_some_order
            assert agree(found, expected), f"{found}\nexpected: {expected}"

        check()
