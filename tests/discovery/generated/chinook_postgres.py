"""Models of the tables in chinook, written by `dataflow inspect`.

The database is the one that DATAFLOW_DATABASE_URL names, and nothing changes its tables. Without
`existing_schema_mode=True` those that are missing are made, of the types that DataFlow has.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from dataflow import DataFlow, Field, ForeignKey, Index

db = DataFlow(existing_schema_mode=True)


@db.model
class Album:
    # The database does not number its rows: give each its key.
    album_id: Annotated[int, Field(primary_key=True)]
    title: Annotated[str, Field(max_length=160)]
    artist_id: Annotated[int, ForeignKey("Artist", on_delete="no_action")]

    __dataflow__ = {
        "table": "album",
        "timestamps": False,
        "indexes": [Index("artist_id", name="album_artist_id_idx")],
    }


@db.model
class Artist:
    # The database does not number its rows: give each its key.
    artist_id: Annotated[int, Field(primary_key=True)]
    name: Annotated[str, Field(max_length=120)] | None

    __dataflow__ = {
        "table": "artist",
        "timestamps": False,
    }


@db.model
class Customer:
    # The database does not number its rows: give each its key.
    customer_id: Annotated[int, Field(primary_key=True)]
    first_name: Annotated[str, Field(max_length=40)]
    last_name: Annotated[str, Field(max_length=20)]
    company: Annotated[str, Field(max_length=80)] | None
    address: Annotated[str, Field(max_length=70)] | None
    city: Annotated[str, Field(max_length=40)] | None
    state: Annotated[str, Field(max_length=40)] | None
    country: Annotated[str, Field(max_length=40)] | None
    postal_code: Annotated[str, Field(max_length=10)] | None
    phone: Annotated[str, Field(max_length=24)] | None
    fax: Annotated[str, Field(max_length=24)] | None
    email: Annotated[str, Field(max_length=60)]
    support_rep_id: Annotated[int, ForeignKey("Employee", on_delete="no_action")] | None

    __dataflow__ = {
        "table": "customer",
        "timestamps": False,
        "indexes": [Index("support_rep_id", name="customer_support_rep_id_idx")],
    }


@db.model
class Employee:
    # The database does not number its rows: give each its key.
    employee_id: Annotated[int, Field(primary_key=True)]
    last_name: Annotated[str, Field(max_length=20)]
    first_name: Annotated[str, Field(max_length=20)]
    title: Annotated[str, Field(max_length=30)] | None
    reports_to: Annotated[int, ForeignKey("Employee", on_delete="no_action")] | None
    birth_date: datetime | None
    hire_date: datetime | None
    address: Annotated[str, Field(max_length=70)] | None
    city: Annotated[str, Field(max_length=40)] | None
    state: Annotated[str, Field(max_length=40)] | None
    country: Annotated[str, Field(max_length=40)] | None
    postal_code: Annotated[str, Field(max_length=10)] | None
    phone: Annotated[str, Field(max_length=24)] | None
    fax: Annotated[str, Field(max_length=24)] | None
    email: Annotated[str, Field(max_length=60)] | None

    __dataflow__ = {
        "table": "employee",
        "timestamps": False,
        "indexes": [Index("reports_to", name="employee_reports_to_idx")],
    }


@db.model
class Genre:
    # The database does not number its rows: give each its key.
    genre_id: Annotated[int, Field(primary_key=True)]
    name: Annotated[str, Field(max_length=120)] | None

    __dataflow__ = {
        "table": "genre",
        "timestamps": False,
    }


@db.model
class Invoice:
    # The database does not number its rows: give each its key.
    invoice_id: Annotated[int, Field(primary_key=True)]
    customer_id: Annotated[int, ForeignKey("Customer", on_delete="no_action")]
    invoice_date: datetime
    billing_address: Annotated[str, Field(max_length=70)] | None
    billing_city: Annotated[str, Field(max_length=40)] | None
    billing_state: Annotated[str, Field(max_length=40)] | None
    billing_country: Annotated[str, Field(max_length=40)] | None
    billing_postal_code: Annotated[str, Field(max_length=10)] | None
    # A class does not say how many places there are: the database rounds to numeric(10,2).
    total: Decimal

    __dataflow__ = {
        "table": "invoice",
        "timestamps": False,
        "indexes": [Index("customer_id", name="invoice_customer_id_idx")],
    }


@db.model
class InvoiceLine:
    # The database does not number its rows: give each its key.
    invoice_line_id: Annotated[int, Field(primary_key=True)]
    invoice_id: Annotated[int, ForeignKey("Invoice", on_delete="no_action")]
    track_id: Annotated[int, ForeignKey("Track", on_delete="no_action")]
    # A class does not say how many places there are: the database rounds to numeric(10,2).
    unit_price: Decimal
    quantity: int

    __dataflow__ = {
        "table": "invoice_line",
        "timestamps": False,
        "indexes": [
            Index("invoice_id", name="invoice_line_invoice_id_idx"),
            Index("track_id", name="invoice_line_track_id_idx"),
        ],
    }


@db.model
class MediaType:
    # The database does not number its rows: give each its key.
    media_type_id: Annotated[int, Field(primary_key=True)]
    name: Annotated[str, Field(max_length=120)] | None

    __dataflow__ = {
        "table": "media_type",
        "timestamps": False,
    }


@db.model
class Playlist:
    # The database does not number its rows: give each its key.
    playlist_id: Annotated[int, Field(primary_key=True)]
    name: Annotated[str, Field(max_length=120)] | None

    __dataflow__ = {
        "table": "playlist",
        "timestamps": False,
    }


@db.model
class PlaylistTrack:
    playlist_id: Annotated[int, Field(primary_key=True), ForeignKey("Playlist", on_delete="no_action")]
    track_id: Annotated[int, Field(primary_key=True), ForeignKey("Track", on_delete="no_action")]

    __dataflow__ = {
        "table": "playlist_track",
        "timestamps": False,
        "indexes": [
            Index("playlist_id", name="playlist_track_playlist_id_idx"),
            Index("track_id", name="playlist_track_track_id_idx"),
        ],
    }


@db.model
class Track:
    # The database does not number its rows: give each its key.
    track_id: Annotated[int, Field(primary_key=True)]
    name: Annotated[str, Field(max_length=200)]
    album_id: Annotated[int, ForeignKey("Album", on_delete="no_action")] | None
    media_type_id: Annotated[int, ForeignKey("MediaType", on_delete="no_action")]
    genre_id: Annotated[int, ForeignKey("Genre", on_delete="no_action")] | None
    composer: Annotated[str, Field(max_length=220)] | None
    milliseconds: int
    bytes: int | None
    # A class does not say how many places there are: the database rounds to numeric(10,2).
    unit_price: Decimal

    __dataflow__ = {
        "table": "track",
        "timestamps": False,
        "indexes": [
            Index("album_id", name="track_album_id_idx"),
            Index("genre_id", name="track_genre_id_idx"),
            Index("media_type_id", name="track_media_type_id_idx"),
        ],
    }
