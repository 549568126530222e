"""The CreateNode: what it stores, what it gives back, what it refuses."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar
from uuid import UUID, uuid4

import pytest

from dataflow import DataFlow, Field, utcnow
from dataflow.errors import InvalidValue, MissingValue, UniqueViolation, UnknownName

__all__ = ["CreateTests"]


class CreateTests:
    """Rows are stored one by one."""

    def test_the_output_is_the_stored_row_under_its_names_and_as_record_and_result(
        self, db: DataFlow
    ) -> None:
        @db.model
        class OrderItem:
            name: str
            note: str | None
            quantity: int = 3
            __dataflow__: ClassVar = {"timestamps": False}

        row = {"id": 1, "name": "pen", "note": None, "quantity": 3}
        output = db.run_sync(db.nodes.OrderItemCreateNode(name="pen"))
        assert output == {**row, "order_item_id": 1, "record": row, "result": row, "found": True}

    def test_columns_with_the_names_of_outputs_and_parameters_are_stored_and_stand_in_the_record(
        self,
        db: DataFlow,
    ) -> None:
        @db.model
        class Clash:
            record: int
            result: str
            found: bool
            data: dict[str, int]
            filter: str
            conditions: str
            updates: int
            required: bool
            limit: int
            order_by: str
            fields: list[str]
            sql: str
            parameters: str
            __dataflow__: ClassVar = {"timestamps": False}

        values = {
            "record": 7,
            "result": "r",
            "found": False,
            "data": {"a": 1},
            "filter": "f",
            "conditions": "c",
            "updates": 2,
            "required": False,
            "limit": 9,
            "order_by": "o",
            "fields": ["x"],
            "sql": "s",
            "parameters": "p",
        }
        output = db.run_sync(db.nodes.ClashCreateNode(**values))
        assert output["record"] == output["result"] == {"id": 1, **values}
        assert output["found"] is True
        assert output["data"] == {"a": 1}
        assert db.run_sync(db.nodes.ClashReadNode(id=1))["record"] == {"id": 1, **values}
        assert db.run_sync(db.nodes.ClashListNode(filter={"limit": 9, "found": False}))["count"] == 1
        changed = db.run_sync(db.nodes.ClashUpdateNode(id=1, updates={"updates": 5, "required": True}))
        assert changed["record"] == {"id": 1, **values, "updates": 5, "required": True}

    @pytest.mark.parametrize("key", [-(2**63), -1, 0, 2**63 - 1])
    def test_a_key_can_be_given(self, db: DataFlow, key: int) -> None:
        @db.model
        class User:
            name: str

        assert db.run_sync(db.nodes.UserCreateNode(id=key, name="a"))["user_id"] == key
        assert db.run_sync(db.nodes.UserReadNode(user_id=key))["name"] == "a"

    def test_a_key_may_be_a_text_under_another_name(self, db: DataFlow) -> None:
        @db.model
        class Country:
            code: str = Field(primary_key=True)
            name: str

        output = db.run_sync(db.nodes.CountryCreateNode(code="dé", name="Germany"))
        assert output["country_id"] == output["code"] == "dé"
        assert "id" not in output
        with pytest.raises(UniqueViolation) as caught:
            db.run_sync(db.nodes.CountryCreateNode(code="dé", name="again"))
        assert (caught.value.table, caught.value.columns) == ("countries", ("code",))

    def test_a_key_may_be_a_uuid_made_for_each_row(self, db: DataFlow) -> None:
        @db.model
        class Token:
            id: UUID = Field(default_factory=uuid4)
            name: str

        first, second = (db.run_sync(db.nodes.TokenCreateNode(name="x")) for _ in range(2))
        assert type(first["id"]) is UUID
        assert first["token_id"] == first["id"] != second["id"]
        assert db.run_sync(db.nodes.TokenReadNode(id=str(first["id"])))["found"] is True

    def test_a_key_may_be_composite_and_has_no_short_name(self, db: DataFlow) -> None:
        @db.model
        class Seat:
            row: int = Field(primary_key=True)
            letter: str = Field(primary_key=True)
            taken: bool = False
            __dataflow__: ClassVar = {"timestamps": False}

        stored = {"row": 1, "letter": "A", "taken": False}
        output = db.run_sync(db.nodes.SeatCreateNode(row=1, letter="A"))
        assert output == {**stored, "record": stored, "result": stored, "found": True}
        db.run_sync(db.nodes.SeatCreateNode(row=1, letter="B"))
        with pytest.raises(UniqueViolation) as caught:
            db.run_sync(db.nodes.SeatCreateNode(row=1, letter="A"))
        assert caught.value.columns == ("row", "letter")

    def test_the_key_of_a_deleted_row_is_not_given_again(self, db: DataFlow) -> None:
        @db.model
        class User:
            name: str

        assert db.run_sync(db.nodes.UserCreateNode(name="a"))["id"] == 1
        db.run_sync(db.nodes.UserDeleteNode(id=1))
        assert db.run_sync(db.nodes.UserCreateNode(name="b"))["id"] == 2

    def test_defaults_fill_what_is_not_given_anew_for_each_row(self, db: DataFlow) -> None:
        numbers = iter(range(10, 20))

        @db.model
        class Job:
            number: int = Field(default_factory=lambda: next(numbers))
            state: str = "new"
            tags: list[str] = []  # noqa: RUF012 - a model copies it
            note: str | None = None

        first = db.run_sync(db.nodes.JobCreateNode())
        first["tags"].append("mine")
        second = db.run_sync(db.nodes.JobCreateNode(state="old"))
        assert [first["number"], second["number"]] == [10, 11]
        assert (first["state"], second["state"], second["tags"], second["note"]) == ("new", "old", [], None)

    def test_a_default_that_a_factory_makes_is_checked_too(self, db: DataFlow) -> None:
        @db.model
        class Job:
            number: int = Field(default_factory=lambda: "canary")

        with pytest.raises(InvalidValue, match=r"Job\.number: expected int, got str") as caught:
            db.run_sync(db.nodes.JobCreateNode())
        assert "canary" not in str(caught.value)

    def test_a_row_of_nothing_but_defaults_is_stored(self, db: DataFlow) -> None:
        @db.model
        class Ticket:
            note: str | None
            __dataflow__: ClassVar = {"timestamps": False}

        assert db.run_sync(db.nodes.TicketCreateNode())["record"] == {"id": 1, "note": None}

    def test_the_times_of_creation_and_change_are_kept_in_utc(self, db: DataFlow) -> None:
        @db.model
        class Note:
            text: str

        before = utcnow()
        created = db.run_sync(db.nodes.NoteCreateNode(text="a"))
        after = utcnow()
        assert before <= created["created_at"] <= after
        assert created["updated_at"] == created["created_at"]
        assert created["created_at"].tzinfo is UTC
        changed = db.run_sync(db.nodes.NoteUpdateNode(id=1, text="b"))
        assert changed["created_at"] == created["created_at"]
        assert changed["updated_at"] > created["updated_at"]

    def test_times_that_are_given_or_declared_are_respected(self, db: DataFlow) -> None:
        old = datetime(1999, 12, 31, tzinfo=UTC)

        @db.model
        class Note:
            text: str
            updated_at: datetime | None

        created = db.run_sync(db.nodes.NoteCreateNode(text="a", created_at=old))
        assert created["created_at"] == old
        assert utcnow() - created["updated_at"] < timedelta(minutes=1)
        kept = db.run_sync(db.nodes.NoteUpdateNode(id=1, updates={"text": "b", "updated_at": old}))
        assert kept["updated_at"] == old

    def test_timestamps_can_be_switched_off(self, db: DataFlow) -> None:
        @db.model
        class Note:
            text: str
            __dataflow__: ClassVar = {"timestamps": False}

        assert set(db.run_sync(db.nodes.NoteCreateNode(text="a"))["record"]) == {"id", "text"}

    def test_a_missing_value_is_named_before_anything_is_written(self, db: DataFlow) -> None:
        @db.model
        class User:
            name: str
            age: int

        with pytest.raises(MissingValue, match="UserCreateNode needs a value for 'name', 'age'"):
            db.run_sync(db.nodes.UserCreateNode())
        with pytest.raises(InvalidValue, match=r"User\.name must not be None"):
            db.run_sync(db.nodes.UserCreateNode(name=None, age=1))
        assert db.run_sync(db.nodes.UserListNode(count_only=True))["count"] == 0

    def test_an_unknown_field_suggests_the_nearest(self, db: DataFlow) -> None:
        @db.model
        class User:
            email: str

        with pytest.raises(UnknownName, match="UserCreateNode has no field 'emial'; did you mean 'email'"):
            db.run_sync(db.nodes.UserCreateNode(emial="canary"))
