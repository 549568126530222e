"""Plain Python functions as nodes."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, cast, overload

from dataflow.errors import MissingValue, UnknownName, ValidationError
from dataflow.execution.scope import Scope, current_scope
from dataflow.nodes.contract import Output, Place

__all__ = ["FunctionNode", "node"]

Function = TypeVar("Function", bound=Callable[..., Any])


@overload
def node(function: Function) -> Function: ...
@overload
def node(
    *, outputs: Collection[str] | None = None, repeatable: bool = False, outside: bool = False
) -> Callable[[Function], Function]: ...
def node(
    function: Any = None,
    *,
    outputs: Collection[str] | None = None,
    repeatable: bool = False,
    outside: bool = False,
) -> Any:
    """Mark a function as a node, to be added by itself: ``workflow.add_node(function, "id")``.

    Every function can be added; the mark is where more is said of it.

    :param outputs: the keys of the dict that it returns, so that a workflow which uses another one is refused when it
        is built.
    :param repeatable: whether it may be called again where a run is repeated, as another transaction came in between:
        it does nothing outside of the database that must not be done twice.
    :param outside: whether the transaction of the run is committed before it, and another one begins after it, as it
        takes long.

    >>> @node(outputs=["total"])
    ... def add(prices: list) -> dict:
    ...     return {"total": sum(prices)}
    """

    if isinstance(outputs, str) or not all(isinstance(name, str) for name in outputs or ()):
        raise ValidationError("outputs of a node are a list of names, such as ['total']")

    said: dict[str, object] = {}
    if outputs is not None:
        said["outputs"] = frozenset(outputs) | {"result"}
    if repeatable:
        said["repeatable"] = True
    if outside:
        said["outside"] = True

    def mark(marked: Any) -> Any:
        for name, value in said.items():
            try:
                setattr(marked, f"__dataflow_{name}__", value)
            except AttributeError as error:
                raise ValidationError(
                    f"{_name_of(marked)} cannot be marked as a node; write a function that calls it"
                ) from error
        return marked

    return mark if function is None else mark(function)


class FunctionNode:
    """A function: its parameters are inputs; the dict that it returns, or else ``result``, is its output.

    Database calls inside it belong to the run.

    :param name: of its type; without it, that of the function.
    """

    database = None
    model = None
    settled = False

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        import inspect

        self.name = _name_of(function) if name is None else name
        self.outputs: frozenset[str] | None = getattr(function, "__dataflow_outputs__", None)
        self._function = function
        self.origin = (
            getattr(function, "__module__", type(function).__module__),
            getattr(function, "__qualname__", type(function).__qualname__),
        )
        """Where it stands: its module and its qualified name there."""
        self.outside: bool = getattr(function, "__dataflow_outside__", False)
        """Whether it runs between two transactions."""
        self._repeatable: bool = getattr(function, "__dataflow_repeatable__", False)
        self.waits = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004 - an object with an async __call__
        )
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError) as error:
            raise ValidationError(
                f"{self.name} cannot be a node: Python does not tell its parameters"
            ) from error
        named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        self.names = tuple(p.name for p in named)
        """The parameters that it has a name for."""
        self._required = tuple(p.name for p in named if p.default is p.empty)
        self._takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
        if any(p.kind is p.POSITIONAL_ONLY and p.default is p.empty for p in parameters):
            raise ValidationError(f"{self.name} cannot be a node: its parameters must be usable by name")

    def may_write(self, parameters: Mapping[str, object]) -> bool:
        # A transaction that was begun for reading cannot always be turned into one that writes.
        return True

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        if not self._takes_any:
            for name in names:
                if name not in self.names:
                    raise UnknownName("parameter", name, self.name, self.names)

    def missing(self, names: Collection[str]) -> str | None:
        lacking = [name for name in self._required if name not in names]
        return f"{self.name} needs a value for {', '.join(map(repr, lacking))}" if lacking else None

    def prepare(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        self.check(parameters, parameters)
        lacking = self.missing(parameters)
        if lacking is not None:
            raise MissingValue(lacking)
        return parameters

    def repeatable(self, parameters: Mapping[str, object]) -> bool:
        # What comes before one that is outside is committed.
        return self._repeatable and not self.outside

    def alone(self, prepared: Mapping[str, Any]) -> bool:
        return False

    async def run(self, scope: Place, prepared: Mapping[str, Any]) -> Output:
        token = current_scope.set(cast("Scope", scope))
        try:
            value = self._function(**prepared)
            if self.waits:
                value = await value
            elif hasattr(value, "__await__"):
                raise _not_async(self.name, value)
        finally:
            current_scope.reset(token)
        if isinstance(value, Mapping):
            return {"result": value, **value}
        return {"result": value}


def _name_of(function: Any) -> str:
    name: str = getattr(function, "__name__", type(function).__name__)
    return name


def _not_async(name: str, awaitable: Any) -> ValidationError:
    if hasattr(awaitable, "close"):
        awaitable.close()
    return ValidationError(f"{name} returned something to await; write it as an async function")
