"""Diagrams of tables: whatever tables and columns are called, the text is one that Mermaid's own grammar takes."""

import re
from collections.abc import Iterator

from dataflow.catalog import CatalogColumn, CatalogReference, CatalogTable
from dataflow.discovery.diagrams import er_diagram
from dataflow.discovery.names import labels

# As the lexer of Mermaid 11 has them: it ignores case, and looks for a direction anywhere in a line.
TEXT = r'"[^%"\r\n\v\b\\]+"'
KEY = r"(?:PK|FK|UK)\b"
WORD = rf"(?!(?i:{KEY}) )[A-Za-z_][A-Za-z0-9_()-]*"
DIRECTION = re.compile(r"direction\s+(tb|bt|rl|lr)", re.IGNORECASE)
TABLE = re.compile(rf"    ({TEXT}) {{")
COLUMN = re.compile(rf"        ({WORD}) ({WORD})(?: ({KEY}(?:, {KEY})*))?(?: ({TEXT}))?")
END = re.compile(r"    }")
LINE = re.compile(rf"    ({TEXT}) (?:\|o|\|\|)--(?:o\||o{{) ({TEXT}) : ({TEXT})")

TYPES = (
    "integer",
    "numeric(10,2)",
    "text[]",
    "timestamp(3) without time zone",
    "enum('a','it''s')",
    '"Odd Type"',
    "",
    "geometry(Point,4326)",
    "größe",
    "2d",
    "PK",
)
NAMES = (
    "id",
    "First Name",
    "größe",
    "2nd",
    "a.b",
    'q"uote',
    "per%cent",
    "back\\slash",
    "new\nline",
    "erDiagram",
    "pk",
    "FK",
    "}o--o{",
    "日本",
    "{",
    ":",
    "direction TB",
    "style",
    "end",
    " ",
)


def parsed(diagram: str) -> Iterator[str]:
    """What each line is: a table, a column, the end of a table, or a line between tables."""
    first, *lines = diagram.split("\n")
    assert first == "erDiagram"
    for line in lines:
        assert not DIRECTION.search(line)
        kinds = {"table": TABLE, "column": COLUMN, "end": END, "line": LINE}
        [kind] = [kind for kind, pattern in kinds.items() if pattern.fullmatch(line)]
        yield kind


def test_whatever_things_are_called_mermaid_can_read_it() -> None:
    tables = [
        CatalogTable(
            name,
            "table",
            tuple(
                CatalogColumn(column, TYPES[(number + place) % len(TYPES)], None)
                for place, column in enumerate(NAMES)
            ),
            key=("id", "pk"),
            foreign_keys=(
                CatalogReference("", (NAMES[number],), "", NAMES[-number], ("id",)),
                CatalogReference("", ("id", "2nd"), "", name, ("id", "a.b")),
            ),
        )
        for number, name in enumerate(NAMES)
    ]
    kinds = list(parsed(er_diagram(labels(tables))))
    count = len(NAMES)
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "table": count,
        "column": count * count,
        "end": count,
        "line": 2 * count,
    }
