"""What a plugin brings."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from dataflow.abc.dialects import Dialect
from dataflow.config import DataFlowConfig
from dataflow.model.schema import Model
from dataflow.statements import Statement
from dataflow.url import DatabaseURL


class DialectFactory(NamedTuple):
    """What a plugin says of a dialect before anybody needs it.

    :param name: the dialect's name.
    :param schemes: the URL schemes that lead to it.
    :param target: ``"module:Class"``, imported at the first use and called with the URL and the configuration.
    :param reading: the options of a URL with which no byte of the database changes, where connecting may change some.
    """

    name: str
    schemes: tuple[str, ...]
    target: str
    reading: Mapping[str, str] = MappingProxyType({})

    def create(self, url: DatabaseURL, config: DataFlowConfig) -> Dialect:
        """Import the dialect and make one for a database."""
        from importlib import import_module

        module, _, attribute = self.target.partition(":")
        dialect: Dialect = getattr(import_module(module), attribute)(url, config)
        return dialect


class NodeType(NamedTuple):
    """What a plugin says of a type of node.

    :param name: the name by which workflows ask for it.
    :param make: makes the node, of a database and, where the type belongs to a model, of that;
        what it returns is a :class:`~dataflow.nodes.contract.Node`.
    """

    name: str
    make: Callable[..., object]


class Interceptor(Protocol):
    """Rewrites statements before they are compiled: tenancy, soft delete, versions."""

    kinds: frozenset[type]
    """The kinds of statement that it handles."""
    mandatory: bool
    """Whether a kind that it does not handle must not be executed at all."""

    def concerns(self, model: Model | None) -> bool:
        """Whether it wants the statements on a model or, for None, the SQL of users; asked once for each."""

    def rewrite(self, statement: Statement) -> Statement:
        """The statement to execute instead."""


class Observer(Protocol):
    """Sees statements after they ran: metrics, tracing. It gets no parameter and no row."""

    def executed(self, statement: Statement, sql: str, seconds: float, error: BaseException | None) -> None:
        """A statement took this long, and failed where there is an error."""
