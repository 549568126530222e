"""The command ``dataflow``."""

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint

import pytest

from dataflow.cli import main
from dataflow.plugins import GROUP, Plugins, plugins


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    plugins.cache_clear()
    yield
    plugins.cache_clear()


@pytest.fixture
def with_plugins(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the process have other plugins than those installed."""

    def put(*found: EntryPoint, disabled: tuple[str, ...] = ()) -> None:
        loaded = Plugins(found, disabled)
        monkeypatch.setattr("dataflow.plugins.plugins", lambda: loaded)

    return put


def test_plugins_lists_what_is_installed_with_versions_and_what_it_provides(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from importlib.metadata import version

    assert main(["plugins"]) == 0
    out, err = capsys.readouterr()
    [line] = [line for line in out.splitlines() if line.startswith("sqlite")]
    assert f"dataflow-sqlite {version('dataflow-sqlite')}" in line
    assert "dialect sqlite (sqlite://)" in line
    assert err == ""


def test_a_plugin_that_failed_to_load_is_listed_with_its_reason(
    with_plugins: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    with_plugins(
        EntryPoint("gone", "fake_plugin_that_is_not_there", GROUP),
        EntryPoint("fine", "dataflow.errors", GROUP),
    )
    assert main(["plugins"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("gone")
    assert "No module named 'fake_plugin_that_is_not_there'" in lines[0]


def test_disabled_plugins_are_listed_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATAFLOW_DISABLE_PLUGINS", "sqlite")
    assert main(["plugins"]) == 0
    out = capsys.readouterr().out
    assert "sqlite disabled by DATAFLOW_DISABLE_PLUGINS" in " ".join(out.split())
    assert "dialect sqlite" not in out


def test_without_plugins_the_command_says_how_to_get_one(
    with_plugins: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    with_plugins()
    assert main(["plugins"]) == 0
    assert "pip install dataflow-sqlite" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status"), [(["--help"], 0), ([], 2), (["plugin"], 2), (["plugins", "x"], 2)]
)
def test_the_usage_is_told(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == status
    out, err = capsys.readouterr()
    assert "dataflow" in out + err


def test_an_error_is_a_sentence_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataflow.errors import PluginError

    def fail() -> Plugins:
        raise PluginError("two plugins claim sql://")

    monkeypatch.setattr("dataflow.plugins.plugins", fail)
    assert main(["plugins"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "dataflow: two plugins claim sql://\n")
