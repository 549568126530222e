"""What becomes of the errors of the server: no value of a statement stands in a message."""

import pytest
from pymysql.err import IntegrityError, OperationalError

from dataflow.errors import ConnectionLost, QueryError, UniqueViolation
from dataflow.mysql.bulk.multi_values import BYTES_PER_STATEMENT, within
from dataflow.mysql.bulk.rows import LINES, VALUES, Form, _writer
from dataflow.mysql.errors import translate
from dataflow.types import Kind

SECRET = "top secret"


def test_a_value_that_looks_like_the_end_of_a_message_names_no_table() -> None:
    value = f"x' for key '{SECRET}.y"
    error = IntegrityError(1062, f"Duplicate entry '{value}' for key 'things.uq__things__code'")
    found = translate(error, "INSERT INTO `things` VALUES ()", {("things", "uq__things__code"): ("code",)})
    assert isinstance(found, UniqueViolation)
    assert (found.table, found.columns) == ("things", ("code",))
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    "text", [f"'`{SECRET}`'", f"'it\\'s `{SECRET}`'", f"'it''s `{SECRET}`'", f'"`{SECRET}`"']
)
def test_a_text_of_a_statement_is_not_taken_for_its_table(text: str) -> None:
    error = IntegrityError(1048, "Column 'code' cannot be null")
    assert str(translate(error, f"SELECT {text}; INSERT INTO `things` VALUES ()", {})) == (
        "things: code: a value is required"
    )


@pytest.mark.parametrize("number", [1060, 1426])
def test_a_message_that_may_quote_a_value_is_not_repeated(number: int) -> None:
    found = translate(OperationalError(number, f"Duplicate column name '{SECRET}'"), "", {})
    assert isinstance(found, QueryError)
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    ("form", "written"), [(VALUES, ["(7)", "(1)", "(NULL)"]), (LINES, ["7", "1", "\\N"])]
)
def test_what_is_no_integer_cannot_stand_in_the_place_of_one(form: Form, written: list[str]) -> None:
    write = _writer((Kind.INTEGER,), form)
    assert write([(7,), (True,), (None,)]) == written
    with pytest.raises(AttributeError):
        write([("0); DROP TABLE things; -- ",)])


def test_a_number_of_the_operating_system_is_none_of_the_server() -> None:
    assert type(translate(OSError(1040, "no such thing"), "", {})) is ConnectionLost


@pytest.mark.parametrize("letter", ["a", "é", "\N{GRINNING FACE}"])
def test_rows_are_counted_in_bytes(letter: str) -> None:
    rows = [letter * 2_000] * 1_000
    parts = list(within(rows))
    assert [row for part in parts for row in part] == rows
    assert all(len("".join(part).encode()) <= BYTES_PER_STATEMENT for part in parts)
