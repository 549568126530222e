"""The database object: models on one side, nodes and connections on the other."""

import sys
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from threading import Lock
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from dataflow.abc import NodeType
from dataflow.config import PRIMARY, READ_REPLICA, DataFlowConfig
from dataflow.errors import ConfigurationError, ModelError, UnknownNode, ValidationError, nearest
from dataflow.execution.database import Database
from dataflow.execution.databases import databases_of
from dataflow.logs import logger
from dataflow.model.demands import check_demands
from dataflow.model.extension import ExtraField
from dataflow.model.schema import Model
from dataflow.nodes.contract import Node, Output
from dataflow.nodes.function import FunctionNode, node
from dataflow.nodes.registry import open_databases
from dataflow.runtime.calls import NodeCall, NodeHandle
from dataflow.runtime.questions import Question
from dataflow.runtime.stream import Stream
from dataflow.runtime.transaction import Transaction
from dataflow.terms import Isolation, read_terms
from dataflow.url import DatabaseURL
from dataflow.workflow.builder import WorkflowBuilder

if TYPE_CHECKING:
    from dataflow.discovery.existing import ExistingDatabase

__all__ = ["DataFlow", "Nodes"]

T = TypeVar("T")
Class = TypeVar("Class", bound=type)
Function = TypeVar("Function", bound=Callable[..., Any])


class DataFlow:
    """A database, or several by name, and the models that live there.

    Making one opens no connection; the first use does, after the tables that are missing were made.

    :param database_url: where the database is, or a whole configuration. Without it: the environment variable
        ``DATAFLOW_DATABASE_URL``, then ``DATABASE_URL``, then SQLite in memory.
    :param options: any parameter of :class:`~dataflow.DataFlowConfig`.
    :raises ConfigurationError: for an option or a URL that cannot be understood, or a database whose plugin is missing.

    >>> with DataFlow("sqlite:///:memory:") as db:
    ...     @db.model
    ...     class User:
    ...         name: str
    ...
    ...     db.run_sync(db.nodes.UserCreateNode(name="Ann"))["id"]
    1
    """

    def __init__(
        self, database_url: str | DatabaseURL | DataFlowConfig | None = None, **options: Any
    ) -> None:
        self.config = DataFlowConfig.resolve(database_url, options)
        self.nodes = Nodes(self)
        self._lock = Lock()
        self._models: dict[str, Model] = {}
        self._places: dict[tuple[str, str], Model] = {}
        self._types: dict[Model, Collection[str]] = {}
        self._nodes: dict[str, Node] = {}
        self._owners: dict[str, Model | FunctionNode] = {}
        self._databases = databases_of(self.config)
        self._global = _node_types(None)
        open_databases.add(self)
        for decision in self.config.decisions:
            logger("dataflow.engine").info("%s", decision)

    def model(self, cls: Class) -> Class:
        """Make a table and its nodes of a class with type hints.

        The class stays what it is, but is a schema and not to be instantiated. Defined again, from the same place in
        the same module, it replaces the older one.

        :raises ModelError: for whatever cannot become a table.
        """
        from dataflow.model.declare import declare
        from dataflow.model.hints import quotes_hints

        if not isinstance(cast("object", cls), type):
            raise ModelError(f"model decorates a class, not a {type(cls).__name__}")
        implied = not self.config.existing_schema_mode
        # A look at the names of a function makes a copy that keeps all of them alive: only where it is needed.
        names = sys._getframe(1).f_locals if quotes_hints(cls) else None
        model = declare(cls, implied=implied, frame_locals=names, extend=_extra_fields)
        database = self._databases.get(model.database)
        if database is None:
            raise ModelError(f"{model.name}: {self._no_database(model.database)}")
        check_demands(model, database.dialect.capabilities, database.dialect.name)
        self._adopt(model)
        return cls

    def _adopt(self, model: Model) -> Mapping[str, Node]:
        """Take a model up, in the place of an older one of the same class or table; its nodes come back."""
        from dataflow.model.narrowed import narrowed

        database = self._databases[model.database]
        model = narrowed(model, database.dialect.narrowed)
        database.dialect.check_model(model)
        nodes = {
            name: cast("Node", node_type.make(database, model))
            for name, node_type in _node_types(model).items()
        }
        with self._lock:
            older = self._replaceable(model, nodes)
            if older is not None:
                self._forget(older)
            database.add_model(model)
            self._models[model.name] = self._places[_whereabouts(model)] = model
            self._types[model] = tuple(nodes)
            self._nodes.update(nodes)
            self._owners.update(dict.fromkeys(nodes, model))
        _equip(model.cls, model, self)
        return nodes

    def discover_schema(
        self, use_real_inspection: bool = True, *, database: str = "primary"
    ) -> dict[str, dict[str, Any]]:
        """Describe every table and view that is there, by its name; those of other schemas as ``schema.table``.

        :param use_real_inspection: True, as there is no other way.
        :param database: which of the databases.
        :raises ConfigurationError: where there is no such database, or its dialect describes no tables.
        """
        from dataflow.discovery.descriptions import described

        if use_real_inspection is not True:
            raise ConfigurationError(
                "discover_schema always asks the database; leave use_real_inspection out"
            )
        return described(self._existing(database).tables())

    def register_schema_as_models(
        self, tables: Iterable[str] | None = None, *, database: str = "primary"
    ) -> dict[str, Any]:
        """Make models of tables that are there, without changing anything about them.

        A table of which no model can be made is told among the ``errors``, and keeps no other from being made.

        :param tables: their names, as :meth:`discover_schema` has them; without it, all.
        :param database: which of the databases.
        :returns: ``registered_models``, ``generated_nodes`` (by class or table, then by ``"list"``, ``"create"`` and so
            on), ``success_count``, ``error_count`` and ``errors``; ``persisted`` tells whether other processes can
            reconstruct them.
        """
        return self._existing(database).register(
            tables, self._adopt, persist=self.config.enable_model_persistence
        )

    def reconstruct_models_from_registry(self, *, database: str = "primary") -> dict[str, Any]:
        """Make the models that were registered, in this process or in any other, by the table that keeps them.

        A table that has changed since is told among the ``errors``, with what has changed. Where there is no registry,
        every table that is there gets its model.

        :param database: which of the databases.
        :returns: ``reconstructed_models`` and ``source`` (``"registry"`` or ``"schema"``), else as
            :meth:`register_schema_as_models`.
        """
        return self._existing(database).reconstruct(self._adopt)

    def _existing(self, name: str) -> "ExistingDatabase":
        from dataflow.discovery.existing import ExistingDatabase

        database = self._databases.get(name)
        if database is None:
            raise ConfigurationError(self._no_database(name))
        return ExistingDatabase(database, str(self.config.databases[name]))

    def _no_database(self, name: str) -> str:
        """Why there is no database of a name."""
        if name == READ_REPLICA:
            return f"nothing lives in {READ_REPLICA}; what lives in 'primary' is read from there by itself"
        return (
            f"there is no database {name!r}{nearest(name, self._databases)}; name one with "
            f"DataFlow(url, {name}_db=...)"
        )

    @overload
    def node(self, function: Function) -> Function: ...
    @overload
    def node(
        self,
        *,
        name: str | None = None,
        outputs: Collection[str] | None = None,
        repeatable: bool = False,
        outside: bool = False,
    ) -> Callable[[Function], Function]: ...
    def node(
        self,
        function: Any = None,
        *,
        name: str | None = None,
        outputs: Collection[str] | None = None,
        repeatable: bool = False,
        outside: bool = False,
    ) -> Any:
        """Make a type of node of a function, which stays what it is: ``workflow.add_node("refund", "id")``.

        Defined again, from the same place in the same module, it replaces the older one.

        :param name: what the type is called; without it, as the function is.
        :param outputs: as of :func:`dataflow.node`, and so are ``repeatable`` and ``outside``.
        :raises ValidationError: for what cannot be a node, and for a name that another node has.
        """
        mark = node(outputs=outputs, repeatable=repeatable, outside=outside)

        def define(function: Any) -> Any:
            self._add_function(FunctionNode(mark(function), name))
            return function

        return define if function is None else define(function)

    def list_models(self) -> list[str]:
        """The names of the models."""
        return list(self._models)

    @overload
    def run_sync(self, call: NodeCall) -> Output: ...
    @overload
    def run_sync(self, call: Question[T]) -> T: ...
    def run_sync(self, call: NodeCall | Question[Any]) -> Any:
        """Run a node without a graph, from a thread: ``db.run_sync(db.nodes.UserReadNode(id=1))``.

        :param call: of one of ``db.nodes``, or ``db.health()`` and ``db.position()``.
        """
        if not isinstance(call, NodeCall | Question):
            raise ConfigurationError(
                "run_sync takes a call of one of db.nodes, such as db.nodes.UserReadNode(id=1)"
            )
        return call.run()

    def health(self) -> Question[dict[str, dict[str, Any]]]:
        """How each database is, by its name: ``await db.health()``, or ``db.run_sync(db.health())``.

        Each has ``ok``, ``problem`` (a sentence, or None), ``seconds`` (that the answer took, or None), and how many
        connections are ``in_use`` and ``idle``. A replica is ok if it is as far as its primary, or was a moment later.
        """
        from dataflow.execution.health import health_of

        databases = tuple(self._databases.values())
        return Question(lambda blocking: health_of(databases, blocking=blocking), databases)

    def position(self) -> Question[str]:
        """How far the primary database is, for reads of other processes: ``await db.position()``.

        What was done here before can be seen there within ``with db.after(position):``. It is an empty text where there
        is no replica, so that nothing is ever behind.
        """
        from dataflow.execution.replica import position_of

        primary = self._databases[PRIMARY]
        return Question(lambda blocking: position_of(primary.replica), (primary,))

    def after(self, position: str) -> AbstractContextManager[None]:
        """Read nothing older: ``with db.after(position):``, for the task or thread that is in it, and what it begins.

        :param position: what :meth:`position` has told, here or elsewhere.
        :raises InvalidValue: where it is something else.
        """
        from dataflow.execution.replica import after

        return after(self._databases[PRIMARY].replica, position)

    def transaction(
        self,
        *,
        isolation_level: str | Isolation | None = None,
        read_only: bool = False,
        timeout: float | None = None,
    ) -> Transaction:
        """A transaction for code without a graph: ``async with db.transaction(): ...``.

        :param isolation_level: what is guaranteed, such as ``"SERIALIZABLE"``.
        :param read_only: whether nothing in it may write.
        :param timeout: how many seconds it may take.
        """
        return Transaction(self._databases.values(), read_terms(isolation_level, read_only, timeout))

    def stream(self, node: str | NodeHandle, /, **parameters: object) -> Stream:
        """The rows of a List node one by one: ``async for row in db.stream("UserListNode", filter={...})``.

        Of however many rows only some hundred are in memory. A thread that may wait does without ``async``.

        :param parameters: those of the node.
        :raises ValidationError: for a node that is no List node, and what the node itself refuses.
        """
        known = node.__dataflow_node__ if isinstance(node, NodeHandle) else self.find_node(node)
        return Stream(known, parameters)

    def create_workflow(self) -> WorkflowBuilder:
        """A builder of workflows that looks for nodes here only."""
        return WorkflowBuilder(self)

    async def start(self) -> None:
        """Connect and make the tables that are missing now, so that the first run need not."""
        for database in self._databases.values():
            await database.connect()
            if database.unsettled:
                await database.prepare(tuple(database.models.values()), blocking=False)

    async def close(self) -> None:
        """Close every connection, those of transactions that are open as soon as these end; nothing new can begin."""
        open_databases.remove(self)
        for database in self._databases.values():
            await database.close()

    def _close(self) -> None:
        open_databases.remove(self)
        for database in self._databases.values():
            database.close_here()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def __repr__(self) -> str:
        return f"DataFlow({str(self.config.database)!r})"

    def find_node(self, name: str, near: Collection[Database] = ()) -> Node:
        """The node of a type.

        :raises UnknownNode: suggesting the nearest type.
        """
        known = self._nodes.get(name)
        if known is not None:
            return known
        node_type = self._global.get(name)
        if node_type is None:
            raise UnknownNode("node type", name, repr(self), self.node_names())
        databases = [database for database in self._databases.values() if database in near]
        node = node_type.make(databases[0] if len(databases) == 1 else self._databases["primary"])
        return cast("Node", node)

    def node_names(self) -> Collection[str]:
        """The types of nodes that exist here."""
        return [*self._nodes, *self._global]

    def databases(self) -> Mapping[str, Database]:
        """The databases by name."""
        return MappingProxyType(self._databases)

    def replaces(self, other: object, name: str) -> bool:
        """Whether a type of node here makes that of an older object obsolete."""
        if not isinstance(other, DataFlow):
            return False
        ours, theirs = self._owners.get(name), other._owners.get(name)
        same_class = ours is not None and theirs is not None and ours.origin == theirs.origin
        return same_class or self.config.database == other.config.database

    def _add_function(self, function: FunctionNode) -> None:
        name = function.name
        if not isinstance(cast("object", name), str) or not name.isidentifier():
            raise ValidationError(f"{name!r} is no name of a node; write @db.node(name='RefundNode')")
        with self._lock:
            older = self._owners.get(name)
            if name in self._global or isinstance(older, Model):
                raise ValidationError(
                    f"there is a node type {name} already; choose another: @db.node(name=...)"
                )
            if older is not None and older.origin != function.origin:
                raise ValidationError(
                    f"the node type {name} is defined twice, by {'.'.join(older.origin)} and by "
                    f"{'.'.join(function.origin)}; rename one of them: @db.node(name=...)"
                )
            self._nodes[name] = self._owners[name] = function

    def _replaceable(self, model: Model, types: Collection[str]) -> Model | None:
        """The older definition of the same class, if there is one; what belongs to another is refused."""
        older = self._models.get(model.name)
        if older is not None and older.origin != model.origin:
            raise ModelError(
                f"{model.name} is defined twice, in {older.origin[0]} and in {model.origin[0]}; rename one of them"
            )
        other = self._places.get(_whereabouts(model))
        if other is not None and other is not older:
            raise ModelError(
                f"{model.name} and {other.name} share the table {model.table!r}; set another table"
            )
        for name in types:
            if name in self._global or self._owners.get(name) not in (None, older):
                raise ModelError(
                    f"{model.name}: there is a node type {name} already, of something else; rename one of them"
                )
        return older

    def _forget(self, model: Model) -> None:
        self._databases[model.database].drop_model(model)
        del self._models[model.name], self._places[_whereabouts(model)]
        for name in self._types.pop(model):
            del self._owners[name], self._nodes[name]


class Nodes:
    """The nodes of a database object as attributes: ``await db.nodes.UserCreateNode(name="Ann")``."""

    def __init__(self, engine: DataFlow) -> None:
        # A strong reference would make a circle, and the connections wait for the garbage collector.
        self._engine = weakref.ref(engine)

    def __getattr__(self, name: str) -> NodeHandle:
        engine = self._engine()
        if engine is None:
            raise AttributeError("the database object of these nodes is gone; keep a reference to it")
        return NodeHandle(engine.find_node(name), engine)

    def __dir__(self) -> list[str]:
        engine = self._engine()
        return sorted(engine.node_names()) if engine is not None else []


def _whereabouts(model: Model) -> tuple[str, str]:
    """Which table it is; declared models have no two that differ in case only, as not all databases can."""
    return model.database, model.origin[1] if model.existing else model.table.casefold()


def _extra_fields(model: Model) -> Iterable[ExtraField]:
    from dataflow.plugins import plugins

    return [field for fields in plugins().hooks.dataflow_extend_model(model=model) for field in fields]


def _node_types(model: Model | None) -> Mapping[str, NodeType]:
    from dataflow.plugins import plugins

    contributed = plugins().hooks.dataflow_register_nodes(model=model)
    return {node_type.name: node_type for node_types in contributed for node_type in node_types}


def _equip(cls: type, model: Model, engine: DataFlow) -> None:
    """Give the class what a model answers: its description, and a builder of workflows."""
    reference = weakref.ref(engine)

    def create_workflow() -> WorkflowBuilder:
        """A builder of workflows that is bound to the database of this model."""
        alive = reference()
        if alive is None:
            raise ConfigurationError(f"the database object of {model.name} is gone; keep a reference to it")
        return WorkflowBuilder(alive)

    attributes = cast("Any", cls)
    attributes.__dataflow_model__ = model
    attributes.create_workflow = staticmethod(create_workflow)
