"""What a saga consists of, in the one form that it is kept in."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dataflow.transactions.documents import read_document, write_document
from dataflow.workflow.paths import Path

__all__ = ["Action", "Definition", "Source", "StepDefinition"]


class Source(NamedTuple):
    """Where an input comes from: the output of a step that came before."""

    step: str
    path: Path


class Action(NamedTuple):
    """Something to be done.

    :param type: the name of the type of node that does it.
    :param parameters: the values that are known.
    :param inputs: where others come from, by name.
    """

    type: str
    parameters: Mapping[str, object]
    inputs: Mapping[str, Source]


class StepDefinition(NamedTuple):
    """A step.

    :param action: what it does.
    :param compensation: what undoes that; None where nothing has to.
    """

    id: str
    action: Action
    compensation: Action | None


class Definition(NamedTuple):
    """The steps of a saga, in their order."""

    steps: tuple[StepDefinition, ...]

    def write(self) -> str:
        """It as a document.

        :raises InvalidValue: where a parameter cannot be kept.
        """
        return write_document(
            [[step.id, _written(step.action), _written(step.compensation)] for step in self.steps]
        )

    @classmethod
    def read(cls, text: str) -> "Definition":
        """That of a document."""
        return cls(
            tuple(
                StepDefinition(id, _read(action), None if compensation is None else _read(compensation))
                for id, action, compensation in read_document(text)
            )
        )


def _written(action: Action | None) -> dict[str, object] | None:
    if action is None:
        return None
    inputs = {
        name: [source.step, source.path.root, *source.path.rest] for name, source in action.inputs.items()
    }
    return {"type": action.type, "parameters": action.parameters, "inputs": inputs}


def _read(written: dict[str, Any]) -> Action:
    inputs = {
        name: Source(step, Path(root, tuple(rest))) for name, (step, root, *rest) in written["inputs"].items()
    }
    return Action(written["type"], written["parameters"], inputs)
