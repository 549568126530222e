"""Finding plugins: the built-in ones and whatever registers under the entry-point group ``dataflow``.

A plugin that fails to load is remembered with its reason and leaves the others alone. ``DATAFLOW_DISABLE_PLUGINS``
holds names, separated by commas, of plugins that are not to be loaded.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Protocol, cast

import pluggy

from dataflow import hookspecs
from dataflow.abc import DialectFactory, Interceptor, NodeType
from dataflow.config import DataFlowConfig
from dataflow.errors import MissingPlugin, PluginError, nearest
from dataflow.model.extension import ExtraField
from dataflow.model.schema import Model

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction

__all__ = ["GROUP", "Plugin", "Plugins", "plugins"]

GROUP = "dataflow"
BUILT_IN = {
    "interceptors": "dataflow.interceptors.plugin",
    "nodes": "dataflow.nodes.plugin",
    "cli": "dataflow.cli",
}
OURS = {
    "sqlite": "dataflow-sqlite",
    "postgresql": "dataflow-postgres",
    "postgres": "dataflow-postgres",
    "mysql": "dataflow-mysql",
    "mariadb": "dataflow-mysql",
}


@dataclass(frozen=True, slots=True)
class Plugin:
    """What is known of a plugin.

    :param name: the name of its entry point.
    :param distribution: the installed package that it came with, and its ``version``.
    :param problem: why it could not be loaded, or None.
    """

    name: str
    distribution: str
    version: str
    problem: str | None = None


class HookCalls(Protocol):
    """pluggy's untyped hooks, given a face."""

    def dataflow_register_dialects(self) -> list[Iterable[DialectFactory]]: ...
    def dataflow_register_nodes(self, *, model: Model | None) -> list[Iterable[NodeType]]: ...
    def dataflow_extend_model(self, *, model: Model) -> list[Iterable[ExtraField]]: ...
    def dataflow_statement_interceptors(self, *, config: DataFlowConfig) -> list[Iterable[Interceptor]]: ...
    def dataflow_register_commands(self, *, commands: "_SubParsersAction[ArgumentParser]") -> list[None]: ...


class Plugins:
    """The plugins of a process.

    :param found: the entry points to load; those of the installed packages where None.
    :param disabled: names of plugins that are not to be loaded.
    """

    def __init__(self, found: Iterable[EntryPoint] | None = None, disabled: Iterable[str] = ()) -> None:
        self._manager = pluggy.PluginManager("dataflow")
        self._manager.add_hookspecs(hookspecs)
        self._known: dict[str, Plugin] = {}
        self._disabled = frozenset(disabled)
        for name, module in BUILT_IN.items():
            self._manager.register(import_module(module), name)
        for entry_point in entry_points(group=GROUP) if found is None else found:
            if entry_point.name not in self._disabled:
                self._load(entry_point)
        self._factories = self._collect_factories()

    @property
    def hooks(self) -> HookCalls:
        """Every hook, typed."""
        return cast("HookCalls", self._manager.hook)

    def known(self) -> Sequence[Plugin]:
        """The plugins that were found, those that failed to load among them."""
        return tuple(self._known.values())

    @property
    def disabled(self) -> frozenset[str]:
        """The names that were not to be loaded."""
        return self._disabled

    def dialects(self) -> Mapping[str, DialectFactory]:
        """The dialect for each URL scheme."""
        return MappingProxyType(self._factories)

    def dialect(self, scheme: str) -> DialectFactory:
        """The dialect for a URL scheme.

        :raises MissingPlugin: where no installed package provides it.
        """
        factory = self._factories.get(scheme)
        if factory is None:
            reasons = "".join(
                f"; {p.name} could not be loaded: {p.problem}" for p in self.known() if p.problem
            )
            off = f"; disabled: {', '.join(sorted(self._disabled))}" if self._disabled else ""
            near = "" if scheme in OURS else nearest(scheme, {*self._factories, *OURS})
            raise MissingPlugin(f"{scheme}://", OURS.get(scheme), near + reasons + off)
        return factory

    def provided_by(self, name: str) -> Sequence[str]:
        """What a plugin provides, in words: its dialects with their schemes, and its other hooks."""
        plugin = self._manager.get_plugin(name)
        if plugin is None:
            return ()
        words = []
        for caller in self._manager.get_hookcallers(plugin) or ():
            if caller.name == "dataflow_register_dialects":
                words += [
                    f"dialect {factory.name} ({', '.join(f'{scheme}://' for scheme in factory.schemes)})"
                    for factory in plugin.dataflow_register_dialects()
                ]
            else:
                words.append(caller.name.removeprefix("dataflow_register_"))
        return tuple(words)

    def _load(self, entry_point: EntryPoint) -> None:
        distribution = entry_point.dist
        plugin = Plugin(
            name=entry_point.name,
            distribution=distribution.name if distribution else "?",
            version=distribution.version if distribution else "?",
        )
        # Whatever a stranger's module raises at import must not take the other plugins down.
        try:
            self._register(entry_point.load(), entry_point.name)
        except Exception as error:
            plugin = Plugin(
                plugin.name, plugin.distribution, plugin.version, f"{type(error).__name__}: {error}"
            )
        self._known[plugin.name] = plugin

    def _register(self, module: ModuleType, name: str) -> None:
        self._manager.register(module, name)
        try:
            self._manager.check_pending()
            if hasattr(module, "dataflow_register_dialects"):
                list(module.dataflow_register_dialects())
        except Exception:
            self._manager.unregister(name=name)
            raise

    def _collect_factories(self) -> dict[str, DialectFactory]:
        factories: dict[str, DialectFactory] = {}
        for contributed in self.hooks.dataflow_register_dialects():
            for factory in contributed:
                for scheme in factory.schemes:
                    other = factories.setdefault(scheme, factory)
                    if other is not factory:
                        raise PluginError(
                            f"{scheme}:// is claimed by {other.target} and by {factory.target}; "
                            f"uninstall one of them or name its plugin in DATAFLOW_DISABLE_PLUGINS"
                        )
        return factories


@cache
def plugins() -> Plugins:
    """The plugins of this process, loaded at the first call."""
    names = os.environ.get("DATAFLOW_DISABLE_PLUGINS", "")
    return Plugins(disabled=[name.strip() for name in names.split(",") if name.strip()])
