"""Plugins: found by entry points, loaded apart, and a broken one harms nobody but itself."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest

from dataflow.abc import DialectFactory, NodeType
from dataflow.errors import MissingPlugin, PluginError
from dataflow.hookspecs import hookimpl
from dataflow.plugins import GROUP, Plugins, plugins

Install = Callable[..., EntryPoint]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a module where an entry point finds it."""

    def put(name: str, **hooks: Callable[..., Any]) -> EntryPoint:
        module = ModuleType(f"fake_plugin_{name}")
        for hook, function in hooks.items():
            setattr(module, hook, hookimpl(function))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return EntryPoint(name, module.__name__, GROUP)

    return put


def dialect(name: str, *schemes: str) -> Callable[[], list[DialectFactory]]:
    return lambda: [DialectFactory(name, schemes, f"fake_{name}:Dialect")]


def test_a_plugin_provides_a_dialect_for_its_schemes(install: Install) -> None:
    loaded = Plugins([install("duck", dataflow_register_dialects=dialect("duckdb", "duckdb", "duck"))])
    assert loaded.dialect("duck").name == loaded.dialect("duckdb").name == "duckdb"
    assert set(loaded.dialects()) == {"duckdb", "duck"}
    assert list(loaded.provided_by("duck")) == ["dialect duckdb (duckdb://, duck://)"]


def test_the_driver_of_a_dialect_is_not_imported_before_it_is_used(install: Install) -> None:
    Plugins([install("duck", dataflow_register_dialects=dialect("duckdb", "duckdb"))])
    assert "fake_duckdb" not in sys.modules


def test_a_plugin_that_fails_to_load_is_named_with_its_reason_and_harms_no_other(install: Install) -> None:
    broken = [
        EntryPoint("gone", "fake_plugin_that_is_not_there", GROUP),
        EntryPoint("lacking", "dataflow.errors:Nothing", GROUP),
    ]
    good = install("duck", dataflow_register_dialects=dialect("duckdb", "duckdb"))
    loaded = Plugins([broken[0], good, broken[1]])
    assert loaded.dialect("duckdb").name == "duckdb"
    problems = {plugin.name: plugin.problem for plugin in loaded.known()}
    assert problems["duck"] is None
    assert problems["gone"] == "ModuleNotFoundError: No module named 'fake_plugin_that_is_not_there'"
    assert problems["lacking"] is not None
    assert problems["lacking"].startswith("AttributeError")
    with pytest.raises(MissingPlugin, match="gone could not be loaded: ModuleNotFoundError"):
        loaded.dialect("other")


@pytest.mark.parametrize("error", [ValueError("broken at import"), SyntaxError("odd"), OSError("disk")])
def test_whatever_a_plugin_raises_at_its_import_stays_with_it(
    install: Install, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    class Raising(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise error

    monkeypatch.setitem(sys.modules, "fake_raising", Raising("fake_raising"))
    loaded = Plugins([EntryPoint("raising", "fake_raising:plugin", GROUP), install("fine")])
    assert [bool(plugin.problem) for plugin in loaded.known()] == [True, False]


def test_a_misspelt_hook_is_told(install: Install) -> None:
    loaded = Plugins(
        [
            install("typo", dataflow_register_dialect=dialect("typo", "typo")),
            install("duck", dataflow_register_dialects=dialect("duckdb", "duckdb")),
        ]
    )
    typo, duck = loaded.known()
    assert duck.problem is None
    assert typo.problem is not None
    assert "dataflow_register_dialect" in typo.problem
    assert set(loaded.dialects()) == {"duckdb"}


def test_a_hook_with_an_unknown_argument_is_told(install: Install) -> None:
    loaded = Plugins([install("odd", dataflow_register_nodes=lambda modle: [])])
    [odd] = loaded.known()
    assert odd.problem is not None
    assert "modle" in odd.problem
    assert len(loaded.hooks.dataflow_register_nodes(model=None)) == 1, "the built-in one still answers"


def test_a_hook_that_fails_when_it_is_asked_is_told_with_its_plugin(install: Install) -> None:
    def fail() -> list[DialectFactory]:
        raise ValueError("out of order")

    fine = install("duck", dataflow_register_dialects=dialect("duckdb", "duckdb"))
    loaded = Plugins([install("failing", dataflow_register_dialects=fail), fine])
    problems = {plugin.name: plugin.problem for plugin in loaded.known()}
    assert problems["failing"] is not None
    assert "out of order" in problems["failing"]
    assert problems["duck"] is None
    assert set(loaded.dialects()) == {"duckdb"}


def test_a_scheme_that_two_plugins_claim_is_an_error_that_names_both(install: Install) -> None:
    first = install("first", dataflow_register_dialects=dialect("one", "sql"))
    second = install("second", dataflow_register_dialects=dialect("two", "sql"))
    with pytest.raises(PluginError, match="DATAFLOW_DISABLE_PLUGINS") as caught:
        Plugins([first, second])
    assert "sql:// is claimed by" in str(caught.value)
    assert "fake_one" in str(caught.value)
    assert "fake_two" in str(caught.value)
    assert set(Plugins([first, second], disabled=["second"]).dialects()) == {"sql"}


def test_a_disabled_plugin_is_not_even_imported() -> None:
    loaded = Plugins([EntryPoint("gone", "fake_plugin_that_is_not_there", GROUP)], disabled=["gone"])
    assert loaded.known() == ()
    with pytest.raises(MissingPlugin, match="disabled: gone"):
        loaded.dialect("gone")


@pytest.fixture
def _fresh() -> Iterator[None]:
    plugins.cache_clear()
    yield
    plugins.cache_clear()


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize("value", ["sqlite", " sqlite , other,", "other,sqlite"])
def test_the_environment_disables_plugins_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DATAFLOW_DISABLE_PLUGINS", value)
    with pytest.raises(MissingPlugin, match=r"pip install dataflow-sqlite.*disabled: .*sqlite"):
        plugins().dialect("sqlite")


@pytest.mark.usefixtures("_fresh")
def test_sqlite_is_found_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATAFLOW_DISABLE_PLUGINS", raising=False)
    found = {plugin.name: plugin for plugin in plugins().known()}["sqlite"]
    assert (found.distribution, found.problem) == ("dataflow-sqlite", None)
    assert found.version
    assert plugins() is plugins()


@pytest.mark.parametrize(
    ("scheme", "distribution"),
    [("postgresql", "dataflow-postgres"), ("mysql", "dataflow-mysql"), ("mariadb", "dataflow-mysql")],
)
def test_a_missing_plugin_of_ours_is_named_with_the_command_that_installs_it(
    scheme: str, distribution: str
) -> None:
    with pytest.raises(MissingPlugin, match=f"pip install {distribution}") as caught:
        Plugins([]).dialect(scheme)
    assert caught.value.distribution == distribution


def test_a_scheme_of_nobody_suggests_no_package() -> None:
    with pytest.raises(MissingPlugin) as caught:
        Plugins([]).dialect("oracle")
    assert "pip install" not in str(caught.value)


def test_a_plugin_can_add_nodes_to_every_model(install: Install) -> None:
    from dataflow.model.declare import declare
    from dataflow.nodes.listing import ListNode

    def nodes(model: Any) -> list[NodeType]:
        return [] if model is None else [NodeType(f"{model.name}ExtraNode", ListNode)]

    class User:
        name: str

    loaded = Plugins([install("extra", dataflow_register_nodes=nodes)])
    contributed = loaded.hooks.dataflow_register_nodes(model=declare(User, implied=True))
    names = {node.name for group in contributed for node in group}
    assert {"UserExtraNode", "UserCreateNode", "UserListNode"} <= names
    assert list(loaded.provided_by("extra")) == ["nodes"]
