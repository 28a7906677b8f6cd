"""What a plan is handed of this machine: files and home folders that the stack file names."""

from pathlib import Path

import pytest

from infra.errors import StackError
from infra.place import read_place
from infra.plan import make_plan
from infra.plan.local import LocalPlan
from infra.plan.place import Place
from infra.settings import parse


def _local(data_dir: str) -> LocalPlan:
    settings = parse({"cloud": "local", "dataDir": data_dir})
    plan = make_plan(settings, read_place(settings, "test", frozenset(), Path("/project")))
    assert isinstance(plan, LocalPlan)
    return plan


def test_paths_begin_at_the_root_or_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    given = ("~/data", "here", "/srv/data", "~root/data")
    expected = ("/home/ada/data", "/project/here", "/srv/data")
    assert [_local(text).data_dir for text in given[:-1]] == list(expected)
    assert _local(given[-1]).data_dir == str(Path("~root/data").expanduser())


def test_a_home_folder_of_nobody_is_told_in_one_line() -> None:
    with pytest.raises(StackError, match=r"^trackstack:dataDir: ~nobody-at-all is nobody's home"):
        _local("~nobody-at-all/data")


def test_every_file_that_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    settings = parse(
        {
            "cloud": "local",
            "compute": "container",
            "tls": "files",
            "tlsCertificateFile": str(tmp_path / "none.pem"),
            "extraCaFile": str(tmp_path),
        }
    )
    with pytest.raises(StackError) as raised:
        read_place(settings, "test", frozenset())
    assert [problem.split(": ")[0] for problem in raised.value.problems] == [
        "trackstack:tlsCertificateFile",
        "trackstack:extraCaFile",
    ]


def test_authorities_that_no_build_can_take_are_refused(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    given = {"cloud": "local", "compute": "container", "extraCaFile": str(bundle)}

    def made_with(size: int) -> object:
        bundle.write_text("-----BEGIN CERTIFICATE-----\n".ljust(size, "x"))
        settings = parse(given)
        return make_plan(settings, read_place(settings, "test", frozenset()))

    assert made_with(100 * 1024)
    with pytest.raises(StackError, match=r"extraCaFile: .*ca\.pem has 131072 bytes, and a build"):
        made_with(128 * 1024)


def test_a_place_that_was_not_read_takes_no_home_folder_for_a_folder_of_its_name() -> None:
    with pytest.raises(KeyError):
        Place("test", Path("/project")).path("~/data")


@pytest.mark.parametrize("key", ["artifactsDestination", "backupDestination"])
def test_every_process_finds_a_destination_at_one_place(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Server, jobs and commands by hand are started in different folders."""
    monkeypatch.setenv("HOME", "/home/ada")
    for given, wanted in (
        ("kept/there", "/srv/data/kept/there"),
        ("~/kept", "/home/ada/kept"),
        ("/mnt/kept", "/mnt/kept"),
        ("s3://kept/there", "s3://kept/there"),
    ):
        settings = parse({"cloud": "local", "dataDir": "/srv/data", key: given})
        plan = make_plan(settings, read_place(settings, "test", frozenset(), Path("/project")))
        assert isinstance(plan, LocalPlan)
        found = {
            "artifactsDestination": plan.artifacts_destination,
            "backupDestination": plan.backup_destination,
        }
        assert found[key] == wanted
