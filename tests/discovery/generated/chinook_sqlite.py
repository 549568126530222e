"""Models of the tables in chinook, written by `dataflow inspect`.

The database is the one that DATAFLOW_DATABASE_URL names, and nothing changes its tables. Without
`existing_schema_mode=True` those that are missing are made, of the types that DataFlow has.
"""

from decimal import Decimal
from typing import Annotated

from dataflow import DataFlow, Field, ForeignKey, Index

db = DataFlow(existing_schema_mode=True)


@db.model
class Album:
    AlbumId: Annotated[int, Field(primary_key=True)]
    Title: str
    ArtistId: Annotated[int, ForeignKey("Artist", on_delete="no_action")]

    __dataflow__ = {
        "table": "Album",
        "timestamps": False,
        "indexes": [Index("ArtistId", name="IFK_AlbumArtistId")],
    }


@db.model
class Artist:
    ArtistId: Annotated[int, Field(primary_key=True)]
    Name: str | None

    __dataflow__ = {
        "table": "Artist",
        "timestamps": False,
    }


@db.model
class Customer:
    CustomerId: Annotated[int, Field(primary_key=True)]
    FirstName: str
    LastName: str
    Company: str | None
    Address: str | None
    City: str | None
    State: str | None
    Country: str | None
    PostalCode: str | None
    Phone: str | None
    Fax: str | None
    Email: str
    SupportRepId: Annotated[int, ForeignKey("Employee", on_delete="no_action")] | None

    __dataflow__ = {
        "table": "Customer",
        "timestamps": False,
        "indexes": [Index("SupportRepId", name="IFK_CustomerSupportRepId")],
    }


@db.model
class Employee:
    EmployeeId: Annotated[int, Field(primary_key=True)]
    LastName: str
    FirstName: str
    Title: str | None
    ReportsTo: Annotated[int, ForeignKey("Employee", on_delete="no_action")] | None
    BirthDate: str | None
    HireDate: str | None
    Address: str | None
    City: str | None
    State: str | None
    Country: str | None
    PostalCode: str | None
    Phone: str | None
    Fax: str | None
    Email: str | None

    __dataflow__ = {
        "table": "Employee",
        "timestamps": False,
        "indexes": [Index("ReportsTo", name="IFK_EmployeeReportsTo")],
    }


@db.model
class Genre:
    GenreId: Annotated[int, Field(primary_key=True)]
    Name: str | None

    __dataflow__ = {
        "table": "Genre",
        "timestamps": False,
    }


@db.model
class Invoice:
    InvoiceId: Annotated[int, Field(primary_key=True)]
    CustomerId: Annotated[int, ForeignKey("Customer", on_delete="no_action")]
    InvoiceDate: str
    BillingAddress: str | None
    BillingCity: str | None
    BillingState: str | None
    BillingCountry: str | None
    BillingPostalCode: str | None
    # A class does not say that the database keeps NUMERIC(10,2) as a float.
    Total: Decimal

    __dataflow__ = {
        "table": "Invoice",
        "timestamps": False,
        "indexes": [Index("CustomerId", name="IFK_InvoiceCustomerId")],
    }


@db.model
class InvoiceLine:
    InvoiceLineId: Annotated[int, Field(primary_key=True)]
    InvoiceId: Annotated[int, ForeignKey("Invoice", on_delete="no_action")]
    TrackId: Annotated[int, ForeignKey("Track", on_delete="no_action")]
    # A class does not say that the database keeps NUMERIC(10,2) as a float.
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
    MediaTypeId: Annotated[int, Field(primary_key=True)]
    Name: str | None

    __dataflow__ = {
        "table": "MediaType",
        "timestamps": False,
    }


@db.model
class Playlist:
    PlaylistId: Annotated[int, Field(primary_key=True)]
    Name: str | None

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
    TrackId: Annotated[int, Field(primary_key=True)]
    Name: str
    AlbumId: Annotated[int, ForeignKey("Album", on_delete="no_action")] | None
    MediaTypeId: Annotated[int, ForeignKey("MediaType", on_delete="no_action")]
    GenreId: Annotated[int, ForeignKey("Genre", on_delete="no_action")] | None
    Composer: str | None
    Milliseconds: int
    Bytes: int | None
    # A class does not say that the database keeps NUMERIC(10,2) as a float.
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
