r"""Values are written into the text of statements: none of them can become SQL, in whatever mode the server starts.

The values are made of what has a meaning somewhere: quotes, backslashes, the marks of comments and placeholders, and
letters whose bytes would end with a backslash in GBK.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dataflow import DataFlow
from dataflow.errors import QueryError, ValidationError
from dataflow.mysql.driver import MySQLConnection
from dataflow.mysql.options import MySQLOptions
from dataflow.mysql.testing import MySQL
from dataflow.testing.suite import server_of
from dataflow.url import DatabaseURL

PIECES = [
    *("'", '"', "`", "\\", "\\'", "''", "\\\\", "\\0", "\\%", "\\_", "\n", "\r", "\t", "\x1a", "\b", "\x7f"),
    *("%", "%s", "%%", "%(a)s", "{}", "{0}", "?", ":name", "@x", "$1"),
    *(";", "--", "-- ", "#", "/*", "*/", "/*!", "*/;", " OR 1=1", "UNION SELECT 1", "NULL", "X'41'", "_gbk'"),
    *(
        "\u00bf",
        "\u7e17",
        "\u8a95",
        "\u00bf\\'",
        "\u7e17\\",
        "\u202e",
        "\ufeff",
        "\uffff",
        "\U0001f600",
        "a",
        " ",
    ),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
# It ends each statement, whichever quotes are open, should it ever be read as SQL.
DROP = "'\"\\'; DROP TABLE things; -- "
MODES = {
    "as it is": ("sql-mode=",),
    "ANSI": ("sql-mode=NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PIPES_AS_CONCAT", "character-set-server=gbk"),
}
SPECIAL = re.compile(r"[.^$*+?{}\[\]\\|()]")
FEW = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module", params=[*MODES, "of the URL"])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    server = MySQL(settings=MODES[request.param]) if request.param in MODES else MySQL()
    with server_of(server, request).database() as url:
        yield url


@pytest.fixture(scope="module", params=["asyncmy", "aiomysql"])
def db(place: str, request: pytest.FixtureRequest) -> Iterator[DataFlow]:
    with DataFlow(f"{place}?driver={request.param}") as db:
        define(db)
        yield db


@pytest.fixture(autouse=True)
def no_rows(db: DataFlow) -> None:
    sql(db, "DELETE FROM things")


def define(db: DataFlow) -> None:
    @db.model
    class Thing:
        text: str
        data: dict[str, Any]
        raw: bytes
        __dataflow__: ClassVar = {"timestamps": False}


def sql(db: DataFlow, statement: str, /, **values: object) -> Any:
    return db.run_sync(db.nodes.SQLNode(sql=statement, parameters=values))["result"]


@given(text=TEXTS, key=TEXTS)
@example(text=DROP, key=DROP)
@example(text="\\", key="\\")
@FEW
def test_a_value_stays_what_it_is(db: DataFlow, text: str, key: str) -> None:
    data: dict[str, Any] = {key: text, "list": [text, {text: key}]}
    given = {"text": text, "data": data, "raw": text.encode()}
    nodes = db.nodes
    created = db.run_sync(nodes.ThingCreateNode(**given))
    many = db.run_sync(nodes.ThingBulkCreateNode(data=[given, given], return_rows=True))["result"]
    assert all(given.items() <= row.items() for row in (created, *many))

    ids = {created["id"], *(row["id"] for row in many)}
    for filter in (
        {"text": text},
        {"text": {"$in": [text, "x"]}},
        {"raw": text.encode()},
        {"data.list": {"$contains": text}},
    ):
        rows = db.run_sync(nodes.ThingListNode(filter={"id": {"$in": list(ids)}, **filter}))["records"]
        assert {row["id"] for row in rows} == ids, filter
    assert sql(db, "SELECT :text AS a, '100%' AS b, :key AS c", text=text, key=key) == [
        {"a": text, "b": "100%", "c": key}
    ]

    db.run_sync(nodes.ThingUpdateNode(id=created["id"], text=key, data={}))
    db.run_sync(nodes.ThingBulkUpdateNode(data=[{"id": many[0]["id"], "text": key}]))
    db.run_sync(nodes.ThingBulkUpsertNode(data=[{**given, "id": many[1]["id"], "text": key}]))
    rows = db.run_sync(nodes.ThingListNode(filter={"text": key, "id": {"$in": list(ids)}}))["records"]
    assert {row["id"] for row in rows} == ids
    assert db.run_sync(nodes.ThingBulkDeleteNode(filter={"id": {"$in": list(ids)}}))["deleted"] == 3


@given(part=st.sampled_from(PIECES), around=TEXTS)
@example(part="\\", around="'")
@FEW
def test_a_pattern_means_its_letters(db: DataFlow, part: str, around: str) -> None:
    text = f"{around}{part}{around}"
    id = db.run_sync(db.nodes.ThingCreateNode(text=text, data={}, raw=b""))["id"]
    for filter in ({"$contains": part}, {"$regex": SPECIAL.sub(r"\\\g<0>", part)}, {"$contains": text}):
        found = db.run_sync(db.nodes.ThingListNode(filter={"id": id, "text": filter}))["records"]
        assert [row["text"] for row in found] == [text], filter
    absent = db.run_sync(db.nodes.ThingListNode(filter={"id": id, "text": {"$contains": f"{text}z"}}))
    assert absent["records"] == []
    db.run_sync(db.nodes.ThingDeleteNode(id=id))


@pytest.mark.parametrize("text", ["\0", "a\0'", "\ud800", "\udc5c'", "\udcbf\\'"])
def test_what_is_no_text_is_never_sent(db: DataFlow, text: str) -> None:
    nodes, fine = db.nodes, {"text": "a", "data": {}, "raw": b""}
    calls: list[Callable[[], Any]] = [
        lambda: nodes.ThingCreateNode(**{**fine, "text": text}),
        lambda: nodes.ThingCreateNode(**{**fine, "data": {"a": [text]}}),
        lambda: nodes.ThingCreateNode(**{**fine, "data": {text: 1}}),
        lambda: nodes.ThingBulkCreateNode(data=[{**fine, "text": text}]),
        lambda: nodes.ThingListNode(filter={"text": text}),
        lambda: nodes.ThingListNode(filter={f"data.{text}": 1}),
        lambda: nodes.SQLNode(sql="SELECT :a AS a", parameters={"a": text}),
        lambda: nodes.SQLNode(sql=f"SELECT '{text}' AS a"),
    ]
    for call in calls:
        with pytest.raises(ValidationError):
            db.run_sync(call())


@pytest.mark.parametrize(
    "raw", [b"", b"\0", b"\\'", bytes(range(256)), b"\xbf\\' OR 1=1 -- ", b"\xed\xa0\x80"]
)
def test_bytes_stay_what_they_are(db: DataFlow, raw: bytes) -> None:
    created = db.run_sync(db.nodes.ThingCreateNode(text="a", data={}, raw=raw))
    assert created["raw"] == raw
    assert sql(db, "SELECT COUNT(*) AS n FROM things WHERE raw = :raw", raw=raw) == [{"n": 1}]


@pytest.mark.parametrize(
    "text",
    [
        "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'",
        "SET NAMES gbk",
        "EXECUTE IMMEDIATE 'SET NAMES gbk'",
        "/*! SET NAMES gbk */",
        "/*!SET NAMES gbk, @a := */ (SELECT 1)",
        "SELECT 1; SET NAMES gbk",
        "SELECT 1 /* /* */; SET NAMES gbk; SELECT 2 -- */ */\n, 3",
        "SELECT 1 --1;SET NAMES gbk;SELECT 2\n, 3",
    ],
)
def test_sql_of_the_user_does_not_change_the_session(db: DataFlow, text: str) -> None:
    with pytest.raises(ValidationError):
        sql(db, text)


@pytest.mark.parametrize("driver", ["asyncmy", "aiomysql"])
def test_a_mode_that_was_changed_all_the_same_is_set_right(place: str, driver: str) -> None:
    options = MySQLOptions.of(DatabaseURL.parse(f"{place}?driver={driver}"))

    async def main() -> None:
        connection = MySQLConnection(options, {}, lambda settings: None)
        await connection.open()
        change = "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'", ()
        await connection.run(*change)
        assert (await connection.run("SELECT %s", (DROP,))).rows == [(DROP,)]
        await connection.run(*change)
        cursor = await connection.open_cursor("SELECT %s", (DROP,))
        assert await cursor.fetch(1) == [(DROP,)]
        await cursor.close()
        await connection.close()

    asyncio.run(main())


def test_the_mode_of_a_procedure_or_a_hint_changes_no_value(db: DataFlow) -> None:
    mode = "SET_VAR(sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES')"
    sql(db, "DROP PROCEDURE IF EXISTS change_mode")
    sql(
        db,
        "CREATE PROCEDURE change_mode() SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'",
    )

    async def main() -> None:
        async with db.transaction():
            for change in ("CALL change_mode()", f"SELECT /*+ {mode} */ :text AS text"):
                bound = {"text": DROP} if ":text" in change else {}
                answer = await db.nodes.SQLNode(sql=change, parameters=bound)
                assert answer["result"] in ([{"text": DROP}], 0)
                made = await db.nodes.ThingCreateNode(text=DROP, data={DROP: DROP}, raw=b"")
                assert (made["text"], made["data"]) == (DROP, {DROP: DROP})

    asyncio.run(main())
    rows = db.run_sync(db.nodes.ThingListNode(filter={"text": DROP}))["records"]
    assert len(rows) == 2


def test_a_procedure_gives_back_the_rows_that_it_selects(db: DataFlow) -> None:
    sql(db, "DROP PROCEDURE IF EXISTS say")
    sql(db, "CREATE PROCEDURE say(IN what VARCHAR(9) CHARSET utf8mb4) SELECT what AS said")
    assert sql(db, "CALL say(:what)", what="it's \\") == [{"said": "it's \\"}]


def test_no_file_of_this_machine_is_sent(db: DataFlow) -> None:
    with pytest.raises(QueryError, match="LOAD DATA LOCAL is not allowed"):
        sql(db, "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE things (text)")
