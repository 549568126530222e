"""What the suite is for those who subclass it: three lines, and differences that are said aloud."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from dataflow import DataFlow
from dataflow.errors import ConfigurationError, UnknownName
from dataflow.sqlite.testing import SQLiteMemory
from dataflow.testing import NoDatabase, Provision, Server, Session, Suite, url_from_environment
from dataflow.testing.conformance.create import CreateTests

from .conftest import RunSuite

HEAD = """
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dataflow import DataFlow
from dataflow.capabilities import Capability
from dataflow.sqlite.testing import SQLiteFile, SQLiteMemory
from dataflow.testing import Conformance, NoDatabase, Provision, Server, Suite, requires


class Topic:
    def test_two(self, db: DataFlow) -> None:
        assert db.list_models() == ["two"]

"""


GENERATED = "generated_row or generated_value or generated_workflow or all_connections"


def test_three_lines_are_a_suite(run_suite: RunSuite) -> None:
    """Without a conftest of this repository's, its profiles or its options."""
    text = """
from dataflow.sqlite.testing import SQLiteMemory
from dataflow.testing import Conformance
from dataflow.testing.conformance.durability import DurabilityTests


class TestSQLite(Conformance):
    provision = SQLiteMemory()
    differences = {name: "gone with its connection" for name in vars(DurabilityTests) if name.startswith("test")}
"""
    run = run_suite(text, "-n2", "--strict-config", "-k", GENERATED)
    assert run.code == 0, run.output
    assert len(run.outcomes["PASSED"]) > 3
    assert run.outcomes["XFAIL"] == {"test_what_was_committed_is_there_when_all_connections_were_closed"}


def test_assertions_of_the_suite_show_their_values(run_suite: RunSuite) -> None:
    text = HEAD + (
        "from dataflow.testing.conformance.durability import DurabilityTests\n\n"
        "class TestMemory(DurabilityTests, Suite):\n    provision = SQLiteMemory()\n"
    )
    run = run_suite(text, "-k", "killed")
    assert run.outcomes == {"FAILED": {"test_a_program_that_is_killed_leaves_what_it_committed_and_no_more"}}
    assert "assert [] == ['committed']" in run.output


def test_a_difference_must_fail_and_is_told_with_its_reason(run_suite: RunSuite) -> None:
    run = run_suite(
        HEAD
        + """
class TestDifferent(Topic, Suite):
    provision = SQLiteMemory()
    differences = {"test_two": "it counts to one", "test_three": "it works after all"}

    def test_three(self, db: DataFlow) -> None:
        assert db.list_models() == []
"""
    )
    assert run.outcomes == {"XFAIL": {"test_two"}, "FAILED": {"test_three"}}, run.output
    assert "it counts to one" in run.output
    assert "XPASS(strict)" in run.output


PARAMETERS = """
import pytest

class TestDifferent(Suite):
    provision = SQLiteMemory()
    differences = {"test_number[%s]": "it knows no three"}

    @pytest.mark.parametrize("number", [2, 3])
    def test_number(self, db: DataFlow, number: int) -> None:
        assert number < 3
"""


def test_a_difference_may_be_about_one_set_of_parameters(run_suite: RunSuite) -> None:
    run = run_suite(HEAD + PARAMETERS % "3")
    assert run.outcomes == {"XFAIL": {"test_number"}, "PASSED": {"test_number"}}, run.output


def test_a_difference_about_parameters_that_do_not_exist_is_an_error(run_suite: RunSuite) -> None:
    run = run_suite(HEAD + PARAMETERS % "33", "-n2")
    assert run.outcomes == {"ERROR": {"test_number"}}
    assert "TestDifferent has no test 'test_number[33]'; did you mean 'test_number[3]'?" in run.output


def test_a_difference_about_no_test_is_an_error() -> None:
    with pytest.raises(UnknownName, match="TestCreate has no test 'test_a_key_can_be_gven'; did you mean"):

        class TestCreate(CreateTests, Suite):
            differences = {"test_a_key_can_be_gven": "a typo"}  # noqa: RUF012 - as authors write it


def test_a_test_that_hides_another_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"TestCreate\.test_a_key_can_be_given hides CreateTests\."):

        class TestCreate(CreateTests, Suite):
            def test_a_key_can_be_given(self, db: DataFlow, key: int) -> None:
                pass


def test_a_capability_that_is_not_declared_must_be_lacking(run_suite: RunSuite) -> None:
    run = run_suite(
        HEAD
        + """
class TestCapable(Suite):
    provision = SQLiteMemory()

    @requires(Capability.NAN)
    def test_lacking(self, db: DataFlow) -> None:
        raise ValueError

    @requires(Capability.NAN, Capability.CONCURRENT_WRITERS)
    def test_there(self, db: DataFlow) -> None:
        pass
"""
    )
    assert run.outcomes == {"XFAIL": {"test_lacking"}, "FAILED": {"test_there"}}, run.output
    assert "the dialect does not declare CONCURRENT_WRITERS, NAN" in run.output


def test_a_database_that_cannot_be_had_is_an_error_that_says_how_to_get_it(run_suite: RunSuite) -> None:
    run = run_suite(
        HEAD
        + """
@dataclass(frozen=True)
class Nowhere(Provision):
    name = "nowhere"

    def start(self, session):
        print("started")
        raise NoDatabase("install a database")


class TestNowhere(Topic, Suite):
    provision = Nowhere()
    differences = {"test_two": "it is expected to fail, yet not like this"}

    def test_three(self, url: str) -> None:
        pass
"""
    )
    assert run.outcomes == {"ERROR": {"test_two", "test_three"}}, run.output
    assert "NoDatabase: install a database" in run.output
    assert run.output.count("\nstarted\n") == 1


def test_a_suite_without_a_provision_says_so(run_suite: RunSuite) -> None:
    run = run_suite(HEAD + "class TestNothing(Topic, Suite):\n    pass\n")
    assert run.outcomes == {"ERROR": {"test_two"}}
    assert "TestNothing needs a provision" in run.output


def test_equal_provisions_share_a_server_that_is_stopped_at_the_end(run_suite: RunSuite) -> None:
    run = run_suite(
        HEAD
        + """
class Counting(Server):
    def __init__(self, folder):
        self.folder = folder
        self.made = 0

    @contextmanager
    def database(self):
        self.made += 1
        yield "sqlite:///:memory:"

    def stop(self):
        print(f"made {self.made} for {self.folder.name}")


@dataclass(frozen=True)
class Shared(Provision):
    name = "shared"

    def start(self, session):
        print("started")
        return Counting(session.folder)


class TestOne(Topic, Suite):
    provision = Shared()


class TestTwo(Topic, Suite):
    provision = Shared()


def test_more(fresh_database) -> None:
    assert fresh_database(Shared()) == fresh_database(Shared())
""",
        "-s",
    )
    assert run.outcomes == {"FAILED": {"test_two"}, "PASSED": {"test_more"}}, run.output
    assert run.output.count("started") == 1
    assert "made 4 for shared0" in run.output


def test_every_database_in_a_file_is_new_and_gone_at_the_end(run_suite: RunSuite) -> None:
    run = run_suite(
        HEAD
        + """
from pathlib import Path

SEEN = []


class TestFile(Suite):
    provision = SQLiteFile(synchronous="off")

    def test_one(self, db: DataFlow, url: str) -> None:
        self.check(db, url)

    def test_two(self, db: DataFlow, url: str) -> None:
        self.check(db, url)

    def check(self, db: DataFlow, url: str) -> None:
        db.run_sync(db.nodes.SQLNode(sql="CREATE TABLE t (a INTEGER)"))
        file = Path(url.removeprefix("sqlite:///").partition("?")[0])
        assert file.exists()
        assert [other for other in SEEN if other.exists() or other == file] == []
        SEEN.append(file)
"""
    )
    assert run.outcomes == {"PASSED": {"test_one", "test_two"}}, run.output


def test_only_a_server_that_tests_started_is_killed(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = SQLiteMemory().start(
        Session("main", tmp_path_factory.mktemp("memory"), tmp_path_factory.getbasetemp())
    )
    for act in (server.kill, server.restart):
        with pytest.raises(NoDatabase, match="started no server"):
            act()


def test_a_url_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAFLOW_TEST_ANTS_URL", "ants://host/db")
    assert url_from_environment("ants") == "ants://host/db"
    monkeypatch.setenv("DATAFLOW_TEST_ANTS_URL", "")
    with pytest.raises(NoDatabase, match="set DATAFLOW_TEST_ANTS_URL"):
        url_from_environment("ants")


class Nothing(Server):
    @contextmanager
    def database(self) -> Iterator[str]:
        yield "nothing://"


def test_a_provision_may_be_any_frozen_value() -> None:
    @dataclass(frozen=True)
    class Version(Provision):
        name = "version"
        number: int = 1

        def start(self, session: Session) -> Server:
            return Nothing()

    assert len({Version(), Version(1), Version(2)}) == 2
