"""Plain Python functions as nodes: every kind of callable, its inputs and its outputs."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, LocalRuntime, WorkflowBuilder, node
from dataflow.errors import ValidationError, WorkflowBuildError, WorkflowExecutionError


def add(a: int, b: int = 10) -> int:
    return a + b


async def add_async(a: int, b: int = 10) -> int:
    await asyncio.sleep(0)
    return a + b


class Adder:
    def __init__(self, b: int = 10) -> None:
        self.b = b

    def __call__(self, a: int) -> int:
        return a + self.b

    def method(self, a: int) -> int:
        return a + self.b

    async def async_method(self, a: int) -> int:
        await asyncio.sleep(0)
        return a + self.b

    @staticmethod
    def static(a: int) -> int:
        return a + 10

    @classmethod
    def of_class(cls, a: int) -> int:
        return a + 10


class AsyncAdder:
    async def __call__(self, a: int) -> int:
        await asyncio.sleep(0)
        return a + 10


def passed_on(function: Callable[..., int]) -> Callable[..., int]:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> int:
        return function(*args, **kwargs)

    return wrapper


@node
def marked(a: int) -> int:
    return a + 10


@node(outputs=["sum", "difference"])
def both(a: int, b: int) -> dict[str, int]:
    return {"sum": a + b, "difference": a - b}


CALLABLES: dict[str, Callable[..., object]] = {
    "function": add,
    "async function": add_async,
    "object": Adder(),
    "async object": AsyncAdder(),
    "lambda": lambda a: a + 10,
    "partial": partial(add, b=10),
    "async partial": partial(add_async, b=10),
    "partial of an object": partial(Adder()),
    "method": Adder().method,
    "async method": Adder().async_method,
    "static method": Adder.static,
    "class method": Adder.of_class,
    "wrapped": passed_on(add),
    "marked": marked,
    "keyword only": lambda *, a: a + 10,
    "anything": lambda **inputs: inputs["a"] + 10,
    "rest": lambda *rest, a: a + 10,
}


def run(
    function: Callable[..., object], parameters: Mapping[str, object], *, on_loop: bool
) -> dict[str, Any]:
    builder = WorkflowBuilder()
    id = builder.add_node(function, None, parameters)
    workflow = builder.build()
    if on_loop:
        results, _ = asyncio.run(AsyncLocalRuntime().execute(workflow))
    else:
        results, _ = LocalRuntime().execute(workflow)
    output: dict[str, Any] = results[id]
    return output


def problem(builder: WorkflowBuilder) -> str:
    with pytest.raises(WorkflowBuildError) as caught:
        builder.build()
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("on_loop", [False, True])
@pytest.mark.parametrize("name", CALLABLES)
def test_every_kind_of_callable_is_a_node(name: str, on_loop: bool) -> None:
    assert run(CALLABLES[name], {"a": 32}, on_loop=on_loop) == {"result": 42}


@pytest.mark.parametrize("on_loop", [False, True])
@pytest.mark.parametrize("function", [add, add_async])
def test_a_default_is_used_where_nothing_is_given(function: Callable[..., int], on_loop: bool) -> None:
    assert run(function, {"a": 1}, on_loop=on_loop) == {"result": 11}
    assert run(function, {"a": 1, "b": 2}, on_loop=on_loop) == {"result": 3}


@pytest.mark.parametrize(
    ("returned", "output"),
    [
        ({"x": 1}, {"x": 1, "result": {"x": 1}}),
        ({}, {"result": {}}),
        ({"result": 5}, {"result": 5}),
        (None, {"result": None}),
        ([1, 2], {"result": [1, 2]}),
        ("text", {"result": "text"}),
    ],
)
def test_a_dict_is_the_output_and_all_else_is_the_result(returned: object, output: dict[str, object]) -> None:
    assert run(lambda: returned, {}, on_loop=False) == output


def test_a_marked_function_can_still_be_called() -> None:
    assert marked(1) == 11
    assert both(5, 3) == {"sum": 8, "difference": 2}


def test_outputs_that_were_named_are_checked_at_build() -> None:
    builder = WorkflowBuilder()
    builder.add_node(both, "both", {"a": 5, "b": 3})
    builder.add_node(add, "add")
    builder.add_connection("both", "diference", "add", "a")
    said = problem(builder)
    assert "'diference'" in said
    assert "did you mean 'difference'?" in said


def test_outputs_that_were_named_and_result_can_be_used() -> None:
    builder = WorkflowBuilder()
    builder.add_node(both, "both", {"a": 5, "b": 3})
    builder.add_node(add, "add")
    builder.add_connection("both", "sum", "add", "a")
    builder.add_connection("both", "result.difference", "add", "b")
    results, _ = LocalRuntime().execute(builder.build())
    assert results["add"]["result"] == 10


def test_an_output_that_a_run_does_not_bring_fails_the_run_and_names_the_source() -> None:
    builder = WorkflowBuilder()
    builder.add_node(lambda: {"total": 1}, "source")
    builder.add_node(add, "add")
    builder.add_connection("source", "totle", "add", "a")
    with pytest.raises(WorkflowExecutionError) as caught:
        LocalRuntime().execute(builder.build())
    assert caught.value.node == "add"
    assert "'totle'" in str(caught.value)
    assert "did you mean 'total'?" in str(caught.value)


def test_a_parameter_that_a_function_does_not_take_suggests_the_nearest() -> None:
    def greet(name: str) -> str:
        return name

    builder = WorkflowBuilder()
    builder.add_node(greet, "greet", {"nam": "Ann"})
    said = problem(builder)
    assert "'greet'" in said
    assert "did you mean 'name'?" in said


def test_a_function_takes_what_it_does_not_name_only_where_it_says_so() -> None:
    def tell(a: int, **others: int) -> dict[str, int]:
        return {"a": a, **others}

    assert run(tell, {"a": 1, "b": 2}, on_loop=False)["result"] == {"a": 1, "b": 2}
    builder = WorkflowBuilder()
    builder.add_node(lambda: 1, "one", {"b": 2})
    assert "no parameter 'b'" in problem(builder)


def test_a_value_that_is_lacking_is_named_before_anything_runs() -> None:
    ran: list[str] = []
    builder = WorkflowBuilder()
    builder.add_node(lambda: ran.append("first"), "first")
    builder.add_node(add, "add")
    workflow = builder.build()
    with pytest.raises(WorkflowExecutionError, match="'a'") as caught:
        LocalRuntime().execute(workflow)
    assert caught.value.node == "add"
    assert ran == []
    results, _ = LocalRuntime().execute(workflow, parameters={"add": {"a": 1}})
    assert results["add"]["result"] == 11


def test_a_function_with_nameless_parameters_is_refused() -> None:
    def positional(a: int, /) -> int:
        return a

    def partly(a: int, /, b: int) -> int:
        return a + b

    for function in (positional, partly):
        builder = WorkflowBuilder()
        builder.add_node(function, "it", {"a": 1})
        assert "by name" in problem(builder)


def test_what_python_cannot_describe_is_refused() -> None:
    builder = WorkflowBuilder()
    builder.add_node(dict.fromkeys, "it")
    assert "'it'" in problem(builder)


def test_a_generator_is_an_output_like_any_other() -> None:
    output = run(lambda: (number for number in range(3)), {}, on_loop=False)
    assert list(output["result"]) == [0, 1, 2]


@pytest.mark.parametrize("on_loop", [False, True])
def test_a_coroutine_that_comes_out_of_a_sync_function_is_not_lost_silently(on_loop: bool) -> None:
    """A lambda around an async function: either awaited, or an error that says what to do."""
    try:
        output = run(lambda: add_async(1), {}, on_loop=on_loop)
    except WorkflowExecutionError as error:
        assert "async" in str(error)  # noqa: PT017
    else:
        assert output == {"result": 11}


@pytest.mark.parametrize("on_loop", [False, True])
@pytest.mark.parametrize(
    "error", [StopIteration("end"), GeneratorExit("end"), TimeoutError("end"), OSError("end")]
)
def test_whatever_a_function_raises_ends_the_run(error: BaseException, on_loop: bool) -> None:
    def fail() -> None:
        raise error

    with pytest.raises((WorkflowExecutionError, GeneratorExit)) as caught:
        run(fail, {}, on_loop=on_loop)
    assert "end" in str(caught.value) or isinstance(error, StopIteration)


def test_an_error_of_the_function_is_the_cause_and_is_chained() -> None:
    error = KeyError("gone")

    def fail() -> None:
        raise error

    with pytest.raises(WorkflowExecutionError) as caught:
        run(fail, {}, on_loop=False)
    assert caught.value.cause is error
    assert caught.value.__cause__ is error
    assert caught.value.node == "fail"
    assert "KeyError" in str(caught.value)


def test_a_parameter_of_a_run_that_a_function_does_not_take_is_refused() -> None:
    builder = WorkflowBuilder()
    builder.add_node(add, "sum", {"a": 1})
    workflow = builder.build()
    assert LocalRuntime().execute(workflow, {"sum": {"b": 2}})[0]["sum"]["result"] == 3
    with pytest.raises(WorkflowExecutionError, match="add has no parameter 'bb'; did you mean 'b'"):
        LocalRuntime().execute(workflow, {"sum": {"bb": 2}})
    lacking = WorkflowBuilder()
    lacking.add_node(add, "sum")
    with pytest.raises(WorkflowExecutionError, match="add needs a value for 'a'"):
        LocalRuntime().execute(lacking.build(), {"sum": {"b": 2}})


def test_a_node_is_called_like_its_function_or_the_type_of_its_object() -> None:
    names = []
    for function in (add, Adder(), Adder().method, partial(add, b=1), lambda a: a):
        builder = WorkflowBuilder()
        builder.add_node(function, "x", {"a": 1})
        names.append(builder.build().steps[0].node.name)
    assert names == ["add", "Adder", "method", "partial", "<lambda>"]


def test_the_mark_of_a_function_leaves_it_as_it_is() -> None:
    def total(prices: list[int]) -> dict[str, int]:
        return {"total": sum(prices)}

    assert node(total) is total
    assert node(outputs=["total"])(total) is total
    assert total([1, 2]) == {"total": 3}
    wrong: list[Any] = ["total", [5], ["total", None]]
    for outputs in wrong:
        with pytest.raises(ValidationError, match="outputs of a node are a list of names"):
            node(outputs=outputs)


def test_the_outputs_that_are_named_are_all_that_there_are() -> None:
    @node(outputs=["total"])
    def total(prices: list[int]) -> dict[str, int]:
        return {"total": sum(prices)}

    for output, is_known in (("total", True), ("result", True), ("sum", False)):
        builder = WorkflowBuilder()
        builder.add_node(total, "sums", {"prices": [1, 2]})
        builder.add_node(lambda a: a, "after")
        builder.add_connection("sums", output, "after", "a")
        if is_known:
            assert LocalRuntime().execute(builder.build())[0]["after"]["result"] in (3, {"total": 3})
        else:
            with pytest.raises(WorkflowBuildError, match="'sum'"):
                builder.build()


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize("outside", [True, False])
def test_a_function_is_repeated_only_where_it_says_so_and_nothing_before_it_is_committed(
    repeatable: bool, outside: bool
) -> None:
    builder = WorkflowBuilder()
    builder.add_node(node(repeatable=repeatable, outside=outside)(lambda: 1), "it")
    step = builder.build().by_id["it"]
    assert step.outside is outside
    assert step.node.repeatable({}) is (repeatable and not outside)
