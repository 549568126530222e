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
    AlbumId: Annotated[int, Field(primary_key=True)]
    Title: Annotated[str, Field(max_length=160)]
    ArtistId: Annotated[int, ForeignKey("Artist", on_delete="no_action")]

    __dataflow__ = {
        "table": "Album",
        "timestamps": False,
        "indexes": [Index("ArtistId", name="IFK_AlbumArtistId")],
    }


@db.model
class Artist:
    # The database does not number its rows: give each its key.
    ArtistId: Annotated[int, Field(primary_key=True)]
    Name: Annotated[str, Field(max_length=120)] | None

    __dataflow__ = {
        "table": "Artist",
        "timestamps": False,
    }


@db.model
class Customer:
    # The database does not number its rows: give each its key.
    CustomerId: Annotated[int, Field(primary_key=True)]
    FirstName: Annotated[str, Field(max_length=40)]
    LastName: Annotated[str, Field(max_length=20)]
    Company: Annotated[str, Field(max_length=80)] | None
    Address: Annotated[str, Field(max_length=70)] | None
    City: Annotated[str, Field(max_length=40)] | None
    State: Annotated[str, Field(max_length=40)] | None
    Country: Annotated[str, Field(max_length=40)] | None
    PostalCode: Annotated[str, Field(max_length=10)] | None
    Phone: Annotated[str, Field(max_length=24)] | None
    Fax: Annotated[str, Field(max_length=24)] | None
    Email: Annotated[str, Field(max_length=60)]
    SupportRepId: Annotated[int, ForeignKey("Employee", on_delete="no_action")] | None

    __dataflow__ = {
        "table": "Customer",
        "timestamps": False,
        "indexes": [Index("SupportRepId", name="IFK_CustomerSupportRepId")],
    }


@db.model
class Employee:
    # The database does not number its rows: give each its key.
    EmployeeId: Annotated[int, Field(primary_key=True)]
    LastName: Annotated[str, Field(max_length=20)]
    FirstName: Annotated[str, Field(max_length=20)]
    Title: Annotated[str, Field(max_length=30)] | None
    ReportsTo: Annotated[int, ForeignKey("Employee", on_delete="no_action")] | None
    BirthDate: datetime | None
    HireDate: datetime | None
    Address: Annotated[str, Field(max_length=70)] | None
    City: Annotated[str, Field(max_length=40)] | None
    State: Annotated[str, Field(max_length=40)] | None
    Country: Annotated[str, Field(max_length=40)] | None
    PostalCode: Annotated[str, Field(max_length=10)] | None
    Phone: Annotated[str, Field(max_length=24)] | None
    Fax: Annotated[str, Field(max_length=24)] | None
    Email: Annotated[str, Field(max_length=60)] | None

    __dataflow__ = {
        "table": "Employee",
        "timestamps": False,
        "indexes": [Index("ReportsTo", name="IFK_EmployeeReportsTo")],
    }


@db.model
class Genre:
    # The database does not number its rows: give each its key.
    GenreId: Annotated[int, Field(primary_key=True)]
    Name: Annotated[str, Field(max_length=120)] | None

    __dataflow__ = {
        "table": "Genre",
        "timestamps": False,
    }


@db.model
class Invoice:
    # The database does not number its rows: give each its key.
    InvoiceId: Annotated[int, Field(primary_key=True)]
    CustomerId: Annotated[int, ForeignKey("Customer", on_delete="no_action")]
    InvoiceDate: datetime
    BillingAddress: Annotated[str, Field(max_length=70)] | None
    BillingCity: Annotated[str, Field(max_length=40)] | None
    BillingState: Annotated[str, Field(max_length=40)] | None
    BillingCountry: Annotated[str, Field(max_length=40)] | None
    BillingPostalCode: Annotated[str, Field(max_length=10)] | None
    # A class does not say how many places there are: the database rounds to decimal(10,2).
    Total: Decimal

    __dataflow__ = {
        "table": "Invoice",
        "timestamps": False,
        "indexes": [Index("CustomerId", name="IFK_InvoiceCustomerId")],
    }


@db.model
class InvoiceLine:
    # The database does not number its rows: give each its key.
    InvoiceLineId: Annotated[int, Field(primary_key=True)]
    InvoiceId: Annotated[int, ForeignKey("Invoice", on_delete="no_action")]
    TrackId: Annotated[int, ForeignKey("Track", on_delete="no_action")]
    # A class does not say how many places there are: the database rounds to decimal(10,2).
    UnitPrice: Decimal
    Quantity: int

    __dataflow__ = {
        "table": "InvoiceLine",
        "timestamps": False,
        "indexes": [
            Index("InvoiceId", name="IFK_InvoiceLineInvoiceId"),
            Index("TrackId", name="IFK_InvoiceLineTrackId"),
        ],
    }


@db.model
class MediaType:
    # The database does not number its rows: give each its key.
    MediaTypeId: Annotated[int, Field(primary_key=True)]
    Name: Annotated[str, Field(max_length=120)] | None

    __dataflow__ = {
        "table": "MediaType",
        "timestamps": False,
    }


@db.model
class Playlist:
    # The database does not number its rows: give each its key.
    PlaylistId: Annotated[int, Field(primary_key=True)]
    Name: Annotated[str, Field(max_length=120)] | None

    __dataflow__ = {
        "table": "Playlist",
        "timestamps": False,
    }


@db.model
class PlaylistTrack:
    PlaylistId: Annotated[int, Field(primary_key=True), ForeignKey("Playlist", on_delete="no_action")]
    TrackId: Annotated[int, Field(primary_key=True), ForeignKey("Track", on_delete="no_action")]

    __dataflow__ = {
        "table": "PlaylistTrack",
        "timestamps": False,
        "indexes": [
            Index("PlaylistId", name="IFK_PlaylistTrackPlaylistId"),
            Index("TrackId", name="IFK_PlaylistTrackTrackId"),
        ],
    }


@db.model
class Track:
    # The database does not number its rows: give each its key.
    TrackId: Annotated[int, Field(primary_key=True)]
    Name: Annotated[str, Field(max_length=200)]
    AlbumId: Annotated[int, ForeignKey("Album", on_delete="no_action")] | None
    MediaTypeId: Annotated[int, ForeignKey("MediaType", on_delete="no_action")]
    GenreId: Annotated[int, ForeignKey("Genre", on_delete="no_action")] | None
    Composer: Annotated[str, Field(max_length=220)] | None
    Milliseconds: int
    Bytes: int | None
    # A class does not say how many places there are: the database rounds to decimal(10,2).
    UnitPrice: Decimal

    __dataflow__ = {
        "table": "Track",
        "timestamps": False,
        "indexes": [
            Index("AlbumId", name="IFK_TrackAlbumId"),
            Index("GenreId", name="IFK_TrackGenreId"),
            Index("MediaTypeId", name="IFK_TrackMediaTypeId"),
        ],
    }
