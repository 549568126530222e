"""Chinook as its makers publish it: every table gets nodes, and they read what the driver reads."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder

from .databases import Existing

CLASSES = [
    "Album",
    "Artist",
    "Customer",
    "Employee",
    "Genre",
    "Invoice",
    "InvoiceLine",
    "MediaType",
    "Playlist",
    "PlaylistTrack",
    "Track",
]


@pytest.fixture
def db(music: Existing) -> Iterator[DataFlow]:
    with DataFlow(music.url, existing_schema_mode=True) as db:
        yield db


def as_read(value: Any) -> Any:
    """What a driver gives, as a node gives it: DataFlow has moments in UTC, and exact numbers where it says so."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    return Decimal(str(value)) if isinstance(value, float | Decimal) else value


def test_every_table_gets_its_nine_nodes(db: DataFlow) -> None:
    done = db.register_schema_as_models()
    assert sorted(done["registered_models"]) == CLASSES
    assert (done["success_count"], done["error_count"], done["errors"]) == (11, 0, {})
    assert all(len(nodes) == 9 for nodes in done["generated_nodes"].values())
    assert db.list_models() == done["registered_models"]


def test_every_row_is_what_the_driver_reads(db: DataFlow, music: Existing) -> None:
    schema = db.discover_schema()
    done = db.register_schema_as_models()
    numbers = []
    for table, shape in schema.items():
        columns = list(shape["columns"])
        builder = WorkflowBuilder()
        builder.add_node(done["generated_nodes"][table]["list"], "list")
        results, _ = LocalRuntime().execute(builder.build())
        read = [tuple(row[column] for column in columns) for row in results["list"]["records"]]
        stored = [tuple(map(as_read, row)) for row in music.rows(table, columns)]
        assert Counter(read) == Counter(stored)
        numbers.append(len(read))
    assert sum(numbers) == 15607


def test_a_key_of_two_columns_and_a_table_that_refers_to_itself(db: DataFlow) -> None:
    db.register_schema_as_models()
    models = db.databases()["primary"].models
    assert len(models["PlaylistTrack"].key) == 2
    reports_to = [
        field.foreign_key.model
        for field in models["Employee"].fields.values()
        if field.foreign_key is not None
    ]
    assert reports_to == ["Employee"]


def test_a_table_that_is_not_there_is_told_and_does_no_harm(db: DataFlow) -> None:
    names = list(db.discover_schema())
    done = db.register_schema_as_models(tables=[names[0], "trak"])
    assert (done["success_count"], done["error_count"]) == (1, 1)
    assert "did you mean" in done["errors"]["trak"]
