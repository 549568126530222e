"""On servers a filter that says how a text begins looks only at that part of the index."""

import re
from collections.abc import Mapping
from itertools import product
from typing import Any, ClassVar

from dataflow import DataFlow, Field
from dataflow.filters.mongo import read_filter
from dataflow.sql.compiler import compile_shape
from dataflow.statements import Select

from .conftest import ON_MYSQL, ON_POSTGRES, on

RANGES = {
    "postgresql": r"ix__words__text .*Index Cond: \(\(text >= ",
    "mysql": r"'range', .*'key': 'ix__words__text'|index range scan on words using ix__words__text",
}
"""What the plan of a search in a range of the index says. MySQL 9 draws a tree where others fill a table."""


@on(ON_POSTGRES, ON_MYSQL)
def test_what_begins_with_letters_is_found_by_the_index(db: DataFlow) -> None:
    @db.model
    class Word:
        text: str = Field(index=True, max_length=9)
        __dataflow__: ClassVar = {"timestamps": False}

    nodes = db.nodes
    letters = map("".join, product("abcdefghijklmno", repeat=3))
    db.run_sync(nodes.WordBulkCreateNode(data=[{"text": text} for text in letters]))
    is_mysql = db.databases()["primary"].dialect.name == "mysql"
    db.run_sync(nodes.SQLNode(sql="ANALYZE TABLE words" if is_mysql else "ANALYZE words"))
    expected = RANGES["mysql" if is_mysql else "postgresql"]
    for condition in ({"$like": "ab%"}, {"$like": "ab%c"}, {"$regex": "^ab"}, {"$regex": "^ab[c-e]$"}):
        assert re.search(expected, plan(db, {"text": condition})), condition
    for condition in ({"$like": "%ab"}, {"$regex": "ab"}, {"$ilike": "ab%"}):
        assert not re.search(expected, plan(db, {"text": condition})), condition


def plan(db: DataFlow, filter: Mapping[str, Any]) -> str:
    """How the server goes about a filter whose values are letters."""
    database = db.databases()["primary"]
    model = database.models["Word"]
    statement = Select(model, read_filter(model, filter, "filter"))
    compiled = compile_shape(database.dialect, statement.shape)
    values = statement.values if compiled.bind is None else compiled.bind(statement.values)
    sql = compiled.sql
    for number, value in enumerate(values, 1):
        placeholder = f"${number}" if f"${number}" in sql else "%s"
        sql = sql.replace(placeholder, f"'{value}'", 1)
    rows = db.run_sync(db.nodes.SQLNode(sql=f"EXPLAIN {sql}"))["records"]
    return " ".join(map(str, rows))
