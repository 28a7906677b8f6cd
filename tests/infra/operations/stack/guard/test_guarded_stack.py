"""`make up` and `make down` of a real local stack, where data are at stake."""

import socket
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from infra.clouds.local import supervisor
from infra.rehearsal.engine import Engine
from infra.rehearsal.system.ports import find_free_port
from tests.infra.project import configure, make_project, run_operation
from tests.runtime.serving import request

pytestmark = pytest.mark.slow


class Stack:
    """A local stack that is brought up by `make up`'s own command."""

    def __init__(self, folder: Path) -> None:
        self.engine: Engine = make_project(folder)
        self.folder = folder
        self.port = find_free_port()
        (self.engine.state_dir / "backend").mkdir(parents=True)
        self.configure()

    def configure(self, **keys: object) -> None:
        """The stack file: what every test starts from, and these keys."""
        base = {"cloud": "local", "port": self.port, "dataDir": str(self.folder / "d")}
        config = {f"trackstack:{key}": value for key, value in (base | keys).items()}
        configure(self.engine, config)

    def up(self, *arguments: str) -> tuple[int, str]:
        done = run_operation(self.engine, "up", *arguments)
        return done.returncode, done.stdout + done.stderr

    def down(self, *arguments: str) -> tuple[int, str]:
        done = run_operation(self.engine, "down", *arguments)
        return done.returncode, done.stdout + done.stderr

    def answers(self, port: int) -> bool:
        try:
            return request(f"http://127.0.0.1:{port}/health").status == 200
        except OSError:
            return False

    def server(self, directory: str) -> psutil.Process:
        pid = supervisor.running_pid(str(self.folder / directory))
        assert pid
        return psutil.Process(pid)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stack]:
    made = Stack(tmp_path_factory.mktemp("g"))
    try:
        yield made
    finally:
        made.engine.destroy(check=False)
        for directory in ("d", "d2", "d3"):
            supervisor.stop(str(made.folder / directory))


def test_up_says_how_the_stack_is_used_and_again_changes_nothing(stack: Stack) -> None:
    code, said = stack.up()
    assert code == 0, said
    assert f"MLflow is up at http://127.0.0.1:{stack.port}" in said
    code, said = stack.up()
    assert code == 0, said
    assert "9 unchanged" in said
    # Not by `make down`: it takes the rest at most, which the next update makes again.
    assert stack.engine.run("destroy", check=False).code
    assert stack.engine.resources()["data"]["protect"] is True
    assert (stack.folder / "d" / "store" / "mydb.sqlite").exists()


@pytest.mark.parametrize(("keep_data", "moves"), [(True, True), (False, False)])
def test_another_data_directory_stops_the_update_and_the_server_goes_on(
    stack: Stack, keep_data: bool, moves: bool
) -> None:
    stack.configure(keepData=keep_data)
    assert stack.up()[0] == 0
    before = stack.server("d").pid
    port = {"port": find_free_port()} if moves else {}
    stack.configure(keepData=keep_data, dataDir=str(stack.folder / "d2"), **port)
    code, said = stack.up()
    assert code == 1
    assert "stopped: this update takes what holds data; nothing was changed" in said
    assert f"data ({stack.folder / 'd'})" in said
    assert ("left behind" if keep_data else "deleted") in said
    assert "data_dir (dataDir)" in said
    assert "DATA=replace:data" in said.splitlines()[-1]
    assert "backend-store" not in said
    assert stack.server("d").pid == before
    assert stack.answers(stack.port)
    assert not (stack.folder / "d2").exists()


def test_what_is_allowed_is_another_thing_than_what_is_taken(stack: Stack) -> None:
    stack.configure(dataDir=str(stack.folder / "d2"))
    assert stack.up("--data", "delete:data,replace:database")[0] == 1
    code, said = stack.up("--data", "data")
    assert code == 2
    assert "replace:<name>" in said


def test_another_store_stops_the_update_though_no_resource_goes(stack: Stack) -> None:
    stack.configure(artifactsDestination=str(stack.folder / "elsewhere"))
    uri = f"sqlite:///{stack.folder}/other.sqlite"
    stack.engine.run("config", "set", "--secret", "trackstack:backendStoreUri", uri)
    code, said = stack.up()
    assert code == 1, said
    assert f"artifacts ({stack.folder}/d/artifacts)" in said
    assert f"backend-store (sqlite:///{stack.folder}/d/store/mydb.sqlite)" in said
    assert "backendStoreUri" in said
    both = "replace:backend-store,replace:artifacts"
    assert f"DATA={both}" in said
    assert stack.up("--data", "replace:artifacts")[0] == 1
    code, said = stack.up("--data", both)
    assert code == 0, said
    assert stack.engine.outputs()["backend_store"] == uri
    stack.configure()
    assert stack.up("--data", both)[0] == 0


def test_an_update_to_another_store_that_failed_can_be_undone(stack: Stack) -> None:
    stack.configure()
    uri = f"sqlite:///{stack.folder}/none/such.sqlite"
    (stack.folder / "none").write_text("a file, and no folder")
    stack.engine.run("config", "set", "--secret", "trackstack:backendStoreUri", uri)
    code, said = stack.up("--data", "replace:backend-store")
    assert code == 1, said
    stack.configure()
    code, said = stack.up()
    assert code == 0, said
    assert stack.answers(stack.port)


def test_a_protected_directory_is_named_and_else_stays_protected(stack: Stack) -> None:
    stack.configure(protect=True)
    assert stack.up()[0] == 0
    moved: dict[str, object] = {"protect": True, "dataDir": str(stack.folder / "d2")}
    stack.configure(**moved)
    code, said = stack.up()
    assert code == 1
    assert "DATA=replace:data" in said
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        stack.configure(**moved, port=port)
        code, said = stack.up("--data", "replace:data")
    assert code == 1
    assert f"up: trackstack:port: {port} is held by" in said
    assert stack.engine.resources()["data"]["protect"] is True
    stack.configure(**moved)
    code, said = stack.up("--data", "replace:data")
    assert code == 0, said
    assert stack.engine.resources()["data"]["protect"] is True


def test_a_directory_that_is_named_is_replaced_and_no_old_server_is_left(stack: Stack) -> None:
    stack.configure(dataDir=str(stack.folder / "d2"), keepData=False)
    assert stack.up()[0] == 0
    old = stack.server("d2")
    below = [old, *old.children(recursive=True)]
    stack.configure(dataDir=str(stack.folder / "d3"), keepData=False)
    code, said = stack.up("--data", "replace:data")
    assert code == 0, said
    assert "DATA=replace:data" in said
    assert [process for process in below if process.is_running()] == []
    assert not (stack.folder / "d2").exists()
    assert stack.answers(stack.port)
    assert stack.server("d3").is_running()


def test_down_removes_nothing_that_the_stack_file_would_keep_or_nobody_agreed_to_lose(
    stack: Stack,
) -> None:
    data = stack.folder / "d3"
    stack.configure(dataDir=str(data), keepData=True)
    code, said = stack.down("--yes")
    assert code == 1
    assert "keepData: true" in said
    assert "make up STACK=test" in said
    stack.configure(dataDir=str(data), keepData=False)
    code, said = stack.down()
    assert code == 1
    assert "YES=1" in said
    assert stack.answers(stack.port)
    assert (data / "store" / "mydb.sqlite").exists()
    code, said = stack.down("--yes")
    assert code == 0, said
    assert not data.exists()
    assert not stack.answers(stack.port)


def test_a_name_that_no_file_has_is_told_with_those_that_have_one(stack: Stack) -> None:
    other = Engine(stack.engine.project_dir, stack.engine.state_dir, stack="prodd")
    done = run_operation(other, "up")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "up: there is no stacks/Pulumi.prodd.yaml; there are: test",
    ]


def test_a_cloud_that_nobody_knows_is_a_mistake_and_not_this_machine(stack: Stack) -> None:
    stack.configure(cloud="azur")
    code, said = stack.up()
    assert code == 2
    assert "trackstack:cloud: 'azur' is no cloud" in said
    stack.configure()
