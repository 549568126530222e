"""The small faults that ``./dev mutants`` puts into a module, one at a time.

What no test should notice is left alone: annotations, docstrings, the wording of messages, ``__all__``.
"""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Mutation", "mutations"]

NEGATED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
}
SHIFTED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
EXCHANGED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Sub: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
TWINS = (
    ("any", "all"),
    ("min", "max"),
    ("startswith", "endswith"),
    ("removeprefix", "removesuffix"),
    ("lstrip", "rstrip"),
    ("index", "rindex"),
    ("upper", "lower"),
    ("append", "extend"),
)
TWIN_OF = {**dict(TWINS), **{second: first for first, second in TWINS}}

# ``strict`` asserts what holds anyway, ``copy`` is for speed alone.
UNNOTICED = frozenset({"strict", "copy"})


class Mutation(NamedTuple):
    """One fault.

    :param name: what it is called in reports: the same as long as the line stays the same, wherever that stands.
    :param lines: of the statement that it is in; of a compound statement those before its body.
    :param reached_by: the lines of which a test runs one when it comes to the fault. The value of a private constant
        matters where a function reads it, the default of a parameter where the function runs. None where whatever runs
        anything of the module may come to it.
    :param source: the text of the whole module, with the fault.
    """

    path: Path
    name: str
    lines: range
    reached_by: frozenset[int] | None
    source: bytes


class _Place(NamedTuple):
    """Where the walk is."""

    scope: tuple[str, ...]
    in_function: bool
    lines: range
    reached_by: frozenset[int] | None = None


class _Change(NamedTuple):
    node: ast.AST
    text: str
    place: _Place


def mutations(path: Path, module: str) -> list[Mutation]:
    """All faults of a module, in the order of its text."""
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    found: list[Mutation] = []
    names: Counter[str] = Counter()
    tree = ast.parse(source)
    for node, text, place in _Walk(tree).block(tree.body, _Place((), False, range(0))):
        start, end = _span(node, starts)
        old = source[start:end]
        mutated = source[:start] + text.encode() + source[end:]
        if _compiles(mutated):
            where = ".".join((module, *place.scope))
            name = f"{where}: {_brief(old.decode())} -> {_brief(text)}"
            names[name] += 1
            if names[name] > 1:
                name += f" ({names[name]})"
            found.append(Mutation(path, name, place.lines, place.reached_by, mutated))
    return found


def _span(node: ast.AST, starts: list[int]) -> tuple[int, int]:
    assert isinstance(node, ast.expr | ast.stmt)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset


def _compiles(source: bytes) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _brief(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 90 else f"{text[:60]} ... {text[-25:]}"


class _Walk:
    """Goes through a module and says what could be changed, each change alone."""

    def __init__(self, tree: ast.Module) -> None:
        self._errors = {
            name.asname or name.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "dataflow.errors"
            for name in node.names
        }
        self._readers = _readers(tree)

    def block(self, body: list[ast.stmt], place: _Place) -> Iterator[_Change]:
        for statement in body:
            yield from self._statement(statement, place)

    def _statement(self, node: ast.stmt, place: _Place) -> Iterator[_Change]:
        body = getattr(node, "body", None)
        last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
        lines = range(node.lineno, max(last, node.lineno) + 1)
        reached_by = frozenset(lines) if place.in_function else self._readers.get(_constant(node))
        place = place._replace(lines=lines, reached_by=reached_by)
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                inside = range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)
                for default in (*node.args.defaults, *node.args.kw_defaults):
                    if default is not None:
                        yield from self._expression(default, place._replace(reached_by=frozenset(inside)))
                yield from self.block(
                    node.body, _Place((*place.scope, node.name), in_function=True, lines=place.lines)
                )
            case ast.ClassDef():
                yield from self.block(node.body, place._replace(scope=(*place.scope, node.name)))
            case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.Pass() | ast.Expr(value=ast.Constant()):
                pass
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                pass
            case ast.Raise() | ast.Continue() | ast.Break() | ast.Delete():
                yield _Change(node, "pass", place)
            case ast.Return(value=ast.expr() as value):
                if not isinstance(value, ast.Constant):
                    yield _Change(value, "None", place)
                yield from self._expression(value, place)
            case ast.Expr(value=value):
                if not isinstance(value, ast.Yield | ast.YieldFrom) and not self._only_words(value):
                    yield _Change(node, "pass", place)
                yield from self._expression(value, place)
            case ast.AugAssign():
                yield _Change(node, "pass", place)
                yield from self._expression(node.value, place)
            case ast.AnnAssign():
                if node.value is not None and not _is_alias(node):
                    yield from self._expression(node.value, place)
            case ast.Assign():
                if isinstance(node.targets[0], ast.Name) and node.targets[0].id.startswith("__"):
                    return
                if all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
                    yield _Change(node, "pass", place)
                yield from self._expression(node.value, place)
            case _:
                yield from self._compound(node, place)

    def _compound(self, node: ast.stmt, place: _Place) -> Iterator[_Change]:
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.stmt():
                    yield from self._statement(child, place)
                case ast.expr() if child is getattr(node, "test", None):
                    yield from self._test(child, place, forever=isinstance(node, ast.While))
                case ast.expr():
                    yield from self._expression(child, place)
                case ast.ExceptHandler():
                    yield from self.block(child.body, place)
                case ast.withitem():
                    yield from self._expression(child.context_expr, place)
                case ast.match_case():
                    if child.guard is not None:
                        yield from self._test(child.guard, place)
                    yield from self.block(child.body, place)

    def _test(self, node: ast.expr, place: _Place, *, forever: bool = False) -> Iterator[_Change]:
        """What decides: always, never, and changes of its parts. Who notices both notices its opposite."""
        if not forever:
            yield _Change(node, "True", place)
        yield _Change(node, "False", place)
        yield from self._expression(node, place, decides=True)

    def _expression(self, node: ast.expr, place: _Place, *, decides: bool = False) -> Iterator[_Change]:
        if self._only_words(node) or _is_type(node):
            return
        for text in _alternatives(node, decides):
            yield _Change(node, text, place)
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.comprehension():
                    yield from self._expression(child.iter, place)
                    for test in child.ifs:
                        yield from self._test(test, place)
                case ast.expr() if isinstance(node, ast.IfExp) and child is node.test:
                    yield from self._test(child, place)
                case ast.expr():
                    yield from self._expression(child, place)
                case ast.keyword():
                    if child.arg not in UNNOTICED:
                        yield from self._expression(child.value, place)
                case ast.arguments():  # of a lambda
                    for default in child.defaults:
                        yield from self._expression(default, place)

    def _only_words(self, node: ast.expr) -> bool:
        """Whether this makes an error or a text for people; refusing as such is tested by leaving out the ``raise``."""
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                return name in self._errors or name == "cast"
            case ast.JoinedStr():
                parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
                return any(" " in str(part) for part in parts)
        return False


def _constant(node: ast.stmt) -> str | None:
    """The name of the one variable that a statement gives a value."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return None


def _readers(tree: ast.Module) -> dict[str | None, frozenset[int]]:
    """The constants of a module that nobody else can know, each with the lines of the functions that read it.

    One that is read outside of functions has made something else by the time a test runs, and is left out.
    """
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {id(part) for function in functions for line in function.body for part in ast.walk(line)}
    constants = {name for name in map(_constant, tree.body) if name is not None}
    readers: dict[str | None, set[int]] = {name: set() for name in constants - set(_exported(tree))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in readers:
            if id(node) in inside:
                readers[node.id].add(node.lineno)
            else:
                readers.pop(node.id)
    return {name: frozenset(lines) for name, lines in readers.items() if lines}


def _exported(tree: ast.Module) -> list[str]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                names: list[str] = ast.literal_eval(value)
                return names
    return []


def _is_alias(node: ast.AnnAssign) -> bool:
    return isinstance(node.annotation, ast.Name) and node.annotation.id == "TypeAlias"


def _is_type(node: ast.expr) -> bool:
    """Whether this is a union of types, such as ``str | None``."""
    return isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant) and node.right.value is None


def _alternatives(node: ast.expr, decides: bool) -> Iterator[str]:
    """Other texts for an expression; its parts have their own."""
    match node:
        case ast.Constant(value=bool() as truth):
            if not decides:
                yield str(not truth)
        case ast.Constant(value=int() | float() as number):
            yield repr(number + 1)
        case ast.Constant(value=str() as text):
            if " " not in text:
                yield repr(f"XX{text}")
        case ast.Constant(value=bytes() as octets):
            yield repr(octets + b"XX")
        case ast.JoinedStr():
            yield "''"
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                for table in (SHIFTED,) if decides and len(node.ops) == 1 else (SHIFTED, NEGATED):
                    if type(operator) in table:
                        changed = copy.deepcopy(node)
                        changed.ops[index] = table[type(operator)]()
                        yield _text(changed)
        case ast.BoolOp():
            for index in range(len(node.values)):
                rest = [value for place, value in enumerate(node.values) if place != index]
                yield _text(rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest))
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()):
            if not decides:
                yield _text(node.operand)
        case ast.BinOp():
            if type(node.op) in EXCHANGED:
                yield _text(ast.BinOp(node.left, EXCHANGED[type(node.op)](), node.right))
            else:
                yield _text(node.left)
                yield _text(node.right)
        case ast.Slice():
            if node.lower is not None:
                yield _text(ast.Slice(None, node.upper, node.step)).strip("()")
            if node.upper is not None:
                yield _text(ast.Slice(node.lower, None, node.step)).strip("()")
        case ast.Call():
            for keyword in node.keywords:
                if keyword.arg is not None and keyword.arg not in UNNOTICED:
                    rest_of_keywords = [other for other in node.keywords if other is not keyword]
                    yield _text(ast.Call(node.func, node.args, rest_of_keywords))
        case ast.Name(id=name) if name in TWIN_OF:
            yield TWIN_OF[name]
        case ast.Attribute(attr=name) if name in TWIN_OF:
            yield _text(ast.Attribute(node.value, TWIN_OF[name], node.ctx))


def _text(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if isinstance(node, ast.Name | ast.Attribute | ast.Constant | ast.Call) else f"({text})"
