"""Relations of tables that are there: Chinook's rows with those that they refer to, against what the driver joins."""

from pathlib import Path
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import InvalidValue, QueryError, UnknownName
from dataflow.execution.executor import Executor
from dataflow.statements import Select, Statement

from .databases import SQLITE, Existing


def plain(rows: Any) -> Any:
    """Rows by names that are alike in all databases."""
    return [{key.lower().replace("_", ""): value for key, value in row.items()} for row in rows]


def test_rows_of_chinook_include_each_other(music: Existing) -> None:
    is_snake = music.kind.name == "postgres"
    with DataFlow(music.url, existing_schema_mode=True) as db:
        nodes = db.register_schema_as_models()["generated_nodes"]
        include = ["artist", "track"] if is_snake else ["Artist", "Track"]
        key = "album_id" if is_snake else "AlbumId"
        listed = db.nodes.AlbumListNode(include=include, order_by=[key])
        assert nodes["Album"]["list"] == "AlbumListNode"
        albums = plain(db.run_sync(listed)["records"])
        employees = db.nodes.EmployeeListNode(
            include=["reports_to_employee", "customer"]
            if is_snake
            else ["ReportsTo_employee", "Customer", "Employee"]
        )
        staff = plain(db.run_sync(employees)["records"])
    names = ("album", "artist", "track") if is_snake else ("Album", "Artist", "Track")
    [counted] = music.ask(f"SELECT count(*) FROM {music.quoted(names[2])}")
    assert sum(len(album["track"]) for album in albums) == counted[0]
    assert albums[0]["artist"].popitem()[1] == "AC/DC"
    assert sum(one["reportstoemployee"] is None for one in staff) == 1
    assert sum(len(one["customer"]) for one in staff) == 59
    if not is_snake:
        assert sorted(len(one["employee"]) for one in staff) == [0, 0, 0, 0, 0, 2, 2, 3]


def test_without_a_key_of_one_column(music: Existing) -> None:
    is_snake = music.kind.name == "postgres"
    with DataFlow(music.url, existing_schema_mode=True) as db:
        db.register_schema_as_models()
        include = ["playlist", "track"] if is_snake else ["Playlist", "Track"]
        entries = plain(db.run_sync(db.nodes.PlaylistTrackListNode(include=include, limit=50))["records"])
        with pytest.raises(UnknownName, match="did you mean"):
            db.nodes.PlaylistTrackListNode(include=["playlst"]).run()
    assert all(next(iter(entry["playlist"].values())) == entry["playlistid"] for entry in entries)
    assert all(next(iter(entry["track"].values())) == entry["trackid"] for entry in entries)


def test_values_that_only_the_database_takes_for_the_same_are_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/folding.db"
    SQLITE.ask(
        url,
        "CREATE TABLE countries (code TEXT COLLATE NOCASE PRIMARY KEY NOT NULL)",
        "CREATE TABLE people (id INTEGER PRIMARY KEY, country TEXT REFERENCES countries (code))",
        "INSERT INTO countries VALUES ('FR'), ('de')",
        "INSERT INTO people VALUES (1, 'FR'), (2, 'DE')",
    )
    with DataFlow(url, existing_schema_mode=True) as db:
        db.register_schema_as_models()
        french = db.nodes.PersonListNode(include=["country_country"], limit=1)
        assert db.run_sync(french)["records"][0]["country_country"] == {"code": "FR"}
        with pytest.raises(QueryError, match=r"takes values of Country\.code for the same"):
            db.run_sync(db.nodes.PersonListNode(include=["country_country"]))


class Seen(list[str]):
    """An observer that notes the tables of which rows are read."""

    def executed(self, statement: Statement, sql: str, seconds: float, error: BaseException | None) -> None:
        if isinstance(statement, Select):
            self.append(statement.model.table)


def watched(db: DataFlow) -> Seen:
    """The tables that are read from now on; to be called before there are models."""
    seen = Seen()
    database = db.databases()["primary"]
    database.executor = Executor(database.dialect, observers=[seen])
    return seen


COUNTRIES = (
    "CREATE TABLE regions (country char(2) NOT NULL, code varchar(9) NOT NULL, twin_country char(2), "
    "twin_code varchar(9), PRIMARY KEY (country, code), UNIQUE (code, country), "
    "FOREIGN KEY (twin_code, twin_country) REFERENCES regions (code, country))",
    "CREATE TABLE cities (id int PRIMARY KEY, region varchar(9), country char(2), name varchar(20), "
    "FOREIGN KEY (country, region) REFERENCES regions (country, code))",
    "CREATE TABLE trains (id int PRIMARY KEY, country char(2), start varchar(9), goal varchar(9), "
    "FOREIGN KEY (country, start) REFERENCES regions (country, code), "
    "FOREIGN KEY (country, goal) REFERENCES regions (country, code))",
    "INSERT INTO regions VALUES ('fr', 'n', NULL, NULL), ('fr', 's', NULL, NULL), ('it', 's', 'fr', 's'), "
    "('it', 'n', 'fr', NULL)",
    "INSERT INTO cities VALUES (1, 's', 'fr', 'Nice'), (2, 's', 'it', 'Bari'), (3, NULL, 'it', '?'), "
    "(4, 's', NULL, '?'), (5, 's', 'fr', 'Arles')",
    "INSERT INTO trains VALUES (1, 'fr', 'n', 's'), (2, 'it', 's', NULL)",
)


def test_foreign_keys_of_several_columns_are_relations(existing: Existing) -> None:
    existing.ask(*COUNTRIES, "SELECT 1")
    with DataFlow(existing.url, existing_schema_mode=True) as db:
        seen = watched(db)
        assert db.register_schema_as_models()["errors"] == {}

        def rows(model: str, **parameters: Any) -> list[dict[str, Any]]:
            seen.clear()
            listed = getattr(db.nodes, f"{model}ListNode")(**parameters)
            records: list[dict[str, Any]] = db.run_sync(listed)["records"]
            return records

        cities = rows("City", include=["country_region_region"], order_by=["id"])
        assert seen == ["cities", "regions"]
        found = [city["country_region_region"] for city in cities]
        assert [one and (one["country"], one["code"]) for one in found] == [
            ("fr", "s"),
            ("it", "s"),
            None,
            None,
            ("fr", "s"),
        ]
        regions = rows("Region", include=["cities", "region", "regions"], order_by=["country", "code"])
        assert seen == ["regions", "cities", "regions", "regions"]
        assert [[city["name"] for city in one["cities"]] for one in regions] == [
            [],
            ["Nice", "Arles"],
            [],
            ["Bari"],
        ]
        twins = [one["region"] and (one["region"]["country"], one["region"]["code"]) for one in regions]
        assert twins == [None, None, None, ("fr", "s")]
        assert [len(one["regions"]) for one in regions] == [0, 1, 0, 0]
        # With a null in one of its columns a foreign key refers to nothing, and nobody is asked.
        half = {"filter": {"id": {"$in": [3, 4]}}}
        assert [
            city["country_region_region"] for city in rows("City", include=["country_region_region"], **half)
        ] == [
            None,
            None,
        ]
        assert seen == ["cities"]
        # Fields that only the relation needs are left out.
        [nice] = rows("City", include=["country.region.Region"], fields=["name"], filter={"id": 1})
        assert nice.keys() == {"name", "country.region.Region"}
        train = rows("Train", include=["country_start_region", "country.goal.Region"], filter={"id": 1})[0]
        ends = train["country_start_region"]["code"], train["country.goal.Region"]["code"]
        assert ends == ("n", "s")
        with pytest.raises(InvalidValue, match="write 'country_goal_region' or 'country_start_region'"):
            rows("Train", include=["region"])


def test_many_keys_of_several_columns_are_one_statement(existing: Existing) -> None:
    """Of a grid, the rows refer to those of its diagonal: no column tells them apart, and each is one of its own."""
    existing.ask(
        "CREATE TABLE cells (x int NOT NULL, y int NOT NULL, PRIMARY KEY (x, y))",
        "CREATE TABLE marks (id int PRIMARY KEY, x int, y int, FOREIGN KEY (x, y) REFERENCES cells (x, y))",
        "SELECT 1",
    )
    with DataFlow(existing.url, existing_schema_mode=True) as db:
        seen = watched(db)
        db.register_schema_as_models()
        grid = [{"x": x, "y": y} for x in range(300) for y in (x, x + 1)]
        db.run_sync(db.nodes.CellBulkCreateNode(data=grid))
        marks = [{"id": number, "x": number, "y": number} for number in range(300)]
        db.run_sync(db.nodes.MarkBulkCreateNode(data=marks))
        seen.clear()
        listed = db.run_sync(db.nodes.MarkListNode(include=["cell"]))["records"]
        assert [mark["cell"] for mark in listed] == [{"x": mark["x"], "y": mark["y"]} for mark in listed]
        cells = db.run_sync(db.nodes.CellListNode(include=["marks"]))["records"]
        assert sum(len(cell["marks"]) for cell in cells) == 300
        assert all(len(cell["marks"]) == (cell["x"] == cell["y"]) for cell in cells)
        assert seen == ["marks", "cells", "cells", "marks"]
