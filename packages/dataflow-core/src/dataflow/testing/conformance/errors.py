"""What the database refuses arrives as an error of DataFlow's, with the driver's as its cause and without a value."""

from typing import Annotated, ClassVar

import pytest

from dataflow import DataFlow, Field, ForeignKey, Index
from dataflow.errors import (
    CheckViolation,
    DatabaseError,
    ForeignKeyViolation,
    NotNullViolation,
    QueryError,
    UniqueViolation,
)

__all__ = ["ErrorTests"]

SECRET = "canary"


class ErrorTests:
    """The errors of the driver are mapped."""

    def test_a_unique_violation_names_table_and_columns_and_no_value(self, db: DataFlow) -> None:
        @db.model
        class User:
            email: str = Field(unique=True)
            first: str = SECRET
            last: str = SECRET
            __dataflow__: ClassVar = {"indexes": [Index("first", "-last", unique=True)]}

        db.run_sync(db.nodes.UserCreateNode(email=f"{SECRET}-1"))
        with pytest.raises(UniqueViolation) as single:
            db.run_sync(db.nodes.UserCreateNode(email=f"{SECRET}-1", first="x"))
        assert (single.value.table, single.value.columns) == ("users", ("email",))
        with pytest.raises(UniqueViolation) as several:
            db.run_sync(db.nodes.UserCreateNode(email=f"{SECRET}-2"))
        assert (several.value.table, several.value.columns) == ("users", ("first", "last"))
        for error in (single.value, several.value):
            assert_tells_no_secret(error)
        assert db.run_sync(db.nodes.UserListNode(count_only=True))["count"] == 1

    def test_a_key_that_is_taken_names_its_columns(self, db: DataFlow) -> None:
        @db.model
        class Country:
            code: str = Field(primary_key=True)

        db.run_sync(db.nodes.CountryCreateNode(code=SECRET))
        with pytest.raises(UniqueViolation) as caught:
            db.run_sync(db.nodes.CountryCreateNode(code=SECRET))
        assert (caught.value.table, caught.value.columns) == ("countries", ("code",))
        assert_tells_no_secret(caught.value)

    def test_a_column_of_another_name_is_named_as_the_database_knows_it(self, db: DataFlow) -> None:
        @db.model
        class User:
            email: str = Field(unique=True, column="e-mail, first")
            __dataflow__: ClassVar = {"table": "all users"}

        db.run_sync(db.nodes.UserCreateNode(email="a"))
        with pytest.raises(UniqueViolation):
            db.run_sync(db.nodes.UserCreateNode(email="a"))

    def test_an_update_that_takes_what_another_row_has_is_a_unique_violation(self, db: DataFlow) -> None:
        @db.model
        class User:
            email: str = Field(unique=True)

        for email in ("a", "b"):
            db.run_sync(db.nodes.UserCreateNode(email=email))
        with pytest.raises(UniqueViolation) as caught:
            db.run_sync(db.nodes.UserUpdateNode(id=1, updates={"email": "b"}))
        assert caught.value.columns == ("email",)

    def test_a_foreign_key_without_its_row_is_refused(self, db: DataFlow) -> None:
        @db.model
        class Customer:
            name: str

        @db.model
        class Order:
            customer_id: Annotated[int, ForeignKey("Customer")]

        with pytest.raises(ForeignKeyViolation) as caught:
            db.run_sync(db.nodes.OrderCreateNode(customer_id=7777123))
        assert "7777123" not in str(caught.value)
        customer = db.run_sync(db.nodes.CustomerCreateNode(name="Ann"))["id"]
        assert db.run_sync(db.nodes.OrderCreateNode(customer_id=customer))["customer_id"] == customer

    def test_a_null_that_only_the_database_refuses_names_its_column(self, db: DataFlow) -> None:
        @db.model
        class User:
            name: str
            note: str
            __dataflow__: ClassVar = {"timestamps": False}

        db.run_sync(db.nodes.UserListNode())
        sql = "INSERT INTO users (name, note) VALUES (NULL, :secret)"
        with pytest.raises(NotNullViolation) as caught:
            db.run_sync(db.nodes.SQLNode(sql=sql, secret=SECRET))
        assert caught.value.columns == ("name",)
        assert caught.value.table in ("users", None), "not every database tells the table"
        assert_tells_no_secret(caught.value)

    def test_a_check_that_refuses_a_row_is_a_check_violation(self, db: DataFlow) -> None:
        db.run_sync(db.nodes.SQLNode(sql="CREATE TABLE stocks (amount INTEGER CHECK (amount >= 0))"))
        with pytest.raises(CheckViolation) as caught:
            db.run_sync(db.nodes.SQLNode(sql="INSERT INTO stocks VALUES (:amount)", amount=-7777123))
        assert "7777123" not in str(caught.value)

    @pytest.mark.parametrize("sql", ["SELECT * FROM nowhere", "SELECT nothing FROM users", "SELEC 1"])
    def test_a_statement_that_cannot_be_understood_is_a_query_error(self, db: DataFlow, sql: str) -> None:
        @db.model
        class User:
            name: str

        db.run_sync(db.nodes.UserListNode())
        with pytest.raises(QueryError) as caught:
            db.run_sync(db.nodes.SQLNode(sql=sql))
        assert caught.value.__cause__ is not None

    def test_what_was_refused_leaves_the_connection_usable(self, db: DataFlow) -> None:
        @db.model
        class User:
            email: str = Field(unique=True)

        for number in range(20):
            db.run_sync(db.nodes.UserCreateNode(email=f"{number}"))
            with pytest.raises(UniqueViolation):
                db.run_sync(db.nodes.UserCreateNode(email=f"{number}"))
        assert db.run_sync(db.nodes.UserListNode(count_only=True))["count"] == 20


def assert_tells_no_secret(error: DatabaseError) -> None:
    assert error.__cause__ is not None
    assert SECRET not in str(error)
