"""Models of the tables in sqlite:////odd.db, written by `dataflow inspect`.

The database is the one that DATAFLOW_DATABASE_URL names, and nothing changes its tables. Without
`existing_schema_mode=True` those that are missing are made, of the types that DataFlow has.
"""

from builtins import int as int_
from datetime import date as date_
from decimal import Decimal
from typing import Annotated, Any

from dataflow import DataFlow, Index
from dataflow import Field as Field_

db = DataFlow(existing_schema_mode=True)


# Check constraint : CHECK (int > 0)
@db.model
class Table2faCode:
    First_Name: Annotated[str, Field_(primary_key=True, column="First Name")]
    date: date_ | None
    class_: Annotated[int_, Field_(primary_key=True, column="class")]
    int: int_ | None
    due: date_ | None
    # twice is left out: the database computes it: virtual

    __dataflow__ = {
        "table": "2fa codes",
        "timestamps": False,
    }


# Foreign key of several columns: (name, code) refers to 2fa codes (First Name, class).
# A class cannot say that; register_schema_as_models() makes a relation of it.
# Unique index few over code where paid.
@db.model
class Field:
    number: Annotated[int_, Field_(primary_key=True)]
    id: Annotated[int_, Field_(primary_key=False)]
    a_b: Annotated[dict[str, Any], Field_(column="a.b")] | None
    paid: Annotated[bool, Field_(default=False)] | None
    # A class does not say that the database keeps NUMERIC as a float.
    price: Annotated[Decimal, Field_(default=Decimal("1.5"))] | None
    # Default of the database, which a model does not use: lower('X')
    made: str | None
    name: str | None
    code: int_ | None
    # blank is left out: a model has no such type

    __dataflow__ = {
        "table": "fields",
        "timestamps": False,
        "indexes": [Index("-code", "price", name="down")],
    }


@db.model
class Pair:
    a: Annotated[int_, Field_(primary_key=True)]
    b: Annotated[int_, Field_(primary_key=True)]

    __dataflow__ = {
        "table": "pairs",
        "timestamps": False,
        "indexes": [Index("b", "a", name="turned")],
    }


# log has no class here: without a key; register_schema_as_models() makes a model of it, whose rows are only read.
# prices has no class here: a view; register_schema_as_models() makes a model of it.
