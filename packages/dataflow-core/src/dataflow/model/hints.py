"""Reading the type hints of a class: inherited, quoted, local or lazy ones."""

import sys
from collections.abc import Mapping
from types import MemberDescriptorType
from typing import Any, ClassVar, get_origin, get_type_hints

from dataflow.errors import ModelError
from dataflow.model.field import MISSING

__all__ = ["class_value", "quotes_hints", "read_hints"]

if sys.version_info >= (3, 14):
    from annotationlib import Format, get_annotations

    def _own_annotations(cls: type) -> Mapping[str, Any]:
        try:
            return get_annotations(cls, format=Format.FORWARDREF)
        except Exception as error:  # lazy hints are evaluated only here, and a hint is any expression
            raise ModelError(f"{cls.__name__}: the types cannot be read: {error}") from error

else:

    def _own_annotations(cls: type) -> Mapping[str, Any]:
        own: Mapping[str, Any] = vars(cls).get("__annotations__", {})
        return own


def read_hints(cls: type, frame_locals: Mapping[str, object] | None) -> dict[str, object]:
    """Read the types of the fields of a class, those of its bases first.

    :param frame_locals: the names where the class stands, for quoted hints of a class within a function.
    :raises ModelError: when a hint names something that is not there.
    """
    hints: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        names = _names_in_reach(base, frame_locals or {}) if base.__module__ == cls.__module__ else {}
        for name, annotation in _own_annotations(base).items():
            hint = _evaluated(annotation, name, base, names)
            if hint is ClassVar or get_origin(hint) is ClassVar:
                hints.pop(name, None)
            else:
                hints[name] = hint
    return hints


def quotes_hints(cls: type) -> bool:
    """Tell whether a hint is text, so that the names where the class stands are needed to read it."""
    return any(isinstance(hint, str) for base in cls.__mro__[:-1] for hint in _own_annotations(base).values())


def class_value(cls: type, name: str) -> object:
    """Find what the body of a class, or of a base, assigned to a name; ``MISSING`` where none did.

    Unlike getattr, this runs no descriptor and does not find what every class has (``mro``).
    """
    for base in cls.__mro__[:-1]:
        if name in vars(base):
            value = vars(base)[name]
            return MISSING if isinstance(value, MemberDescriptorType) else value
    return MISSING


def _names_in_reach(cls: type, frame_locals: Mapping[str, object]) -> dict[str, object]:
    # Of the class itself only nested classes count: `date: date = Field()` means the imported type.
    nested = {name: value for name, value in vars(cls).items() if isinstance(value, type)}
    return {cls.__name__: cls, **frame_locals, **nested}


def _evaluated(annotation: object, name: str, cls: type, names: dict[str, object]) -> object:
    """Evaluate one hint; one at a time, so that a message can name the field."""
    bearer = type(cls.__name__, (), {"__annotations__": {name: annotation}, "__module__": cls.__module__})
    try:
        return get_type_hints(bearer, localns=names, include_extras=True)[name]
    except NameError as error:
        raise ModelError(
            f"{cls.__name__}.{name}: the type {error.name!r} is not known where the class stands; "
            "import it, and not only under TYPE_CHECKING"
        ) from error
    except Exception as error:  # a hint is any expression
        raise ModelError(f"{cls.__name__}.{name}: the type cannot be read: {error}") from error
