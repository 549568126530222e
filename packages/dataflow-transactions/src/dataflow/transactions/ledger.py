"""The tables in which sagas are kept: one row for each in its home, one for each thing done where it was done."""

from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from typing import Final
from weakref import WeakKeyDictionary

from dataflow.execution.database import Database
from dataflow.model.declare import declare
from dataflow.model.demands import check_demands
from dataflow.model.field import Field, utcnow
from dataflow.model.narrowed import narrowed
from dataflow.model.schema import Model

__all__ = ["DO", "SAGAS", "STEPS", "UNDO", "ledger_model"]

DO: Final = "do"
UNDO: Final = "undo"
"""The directions of a step."""

LONGEST_ID: Final = 190


class DataflowSaga:
    """A saga: what it consists of and how far it has come as a whole."""

    id: str = Field(primary_key=True, max_length=40)
    name: str = Field(max_length=LONGEST_ID)
    state: str = Field(max_length=20, index=True)
    definition: str
    inputs: str
    owner: str = Field(max_length=300)
    deadline: datetime | None = None
    problem: str | None = None
    __dataflow__ = {"table": "dataflow_sagas"}  # noqa: RUF012 - as every model writes it


class DataflowSagaStep:
    """A step that was done or undone, with its output; without one it must never be done."""

    saga: str = Field(primary_key=True, max_length=40)
    step: str = Field(primary_key=True, max_length=LONGEST_ID)
    direction: str = Field(primary_key=True, max_length=4)
    output: str | None = None
    done_at: datetime = Field(default_factory=utcnow)
    __dataflow__ = {"table": "dataflow_saga_steps", "timestamps": False}  # noqa: RUF012


SAGAS: Final = declare(DataflowSaga, implied=True)
STEPS: Final = declare(DataflowSagaStep, implied=True)

_lock = Lock()
_known: WeakKeyDictionary[Database, Mapping[Model, Model]] = WeakKeyDictionary()


def ledger_model(database: Database, model: Model) -> Model:
    """One of the two models as this database has it; its table is made like that of any other."""
    with _lock:
        models = _known.setdefault(database, {})
        if model not in models:
            fitting = narrowed(model, database.dialect.narrowed)
            check_demands(fitting, database.dialect.capabilities, database.dialect.name)
            database.dialect.check_model(fitting)
            database.add_model(fitting)
            _known[database] = {**models, model: fitting}
        return _known[database][model]
