"""Relations of tables that are there: Chinook's rows with those that they refer to, against what the driver joins."""

from pathlib import Path
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import QueryError, UnknownName

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
