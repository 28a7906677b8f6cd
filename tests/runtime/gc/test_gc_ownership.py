"""Which locations are an entity's own, and which places others claim: decisions without a store."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.artifacts.bulk import path_of
from runtime.artifacts.location import Destination, NotOwnError
from runtime.gc.claims import gather
from runtime.gc.in_use import Needed
from runtime.gc.judge import judge
from runtime.gc.ownership import Owner

_RUN = "0123456789abcdef0123456789abcdef"
_BLOBS = "wasbs://artifacts@account.blob.core.windows.net/store"
_OBJECTS = "oci://artifacts@namespace/store"


def _place(destination: Destination, experiment_location: str, location: str) -> str:
    return Owner(destination).place("", _RUN, 7, experiment_location, location)


@pytest.mark.parametrize("uri", ["s3://bucket/store", "s3://bucket", _BLOBS, f"{_OBJECTS}/"])
def test_in_an_artifact_store_both_of_mlflow_s_own_forms_are_own(uri: str) -> None:
    destination, root = Destination(uri), uri.rstrip("/")
    for form in ("mlflow-artifacts:/7", f"{root}/7"):
        assert destination.folder(7, "default", form) == f"{root}/7"
        own = _place(destination, form, f"{form}/{_RUN}/artifacts")
        assert own == f"{root}/7/{_RUN}/artifacts"
        model = Owner(destination).place("models/", "m-1", 7, form, f"{form}/models/m-1/artifacts")
        assert model == f"{root}/7/models/m-1/artifacts"
    # Rows that were moved to the other form, and an experiment in a workspace.
    assert _place(destination, "elsewhere", f"mlflow-artifacts:/7/{_RUN}/artifacts")
    in_workspace = "mlflow-artifacts:/workspaces/team/7"
    assert destination.folder(7, "team", in_workspace) == f"{root}/workspaces/team/7"
    assert _place(destination, in_workspace, f"{in_workspace}/{_RUN}/artifacts")


def test_a_directory_is_known_by_each_of_its_names(tmp_path: Path) -> None:
    real, link = tmp_path / "the store", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    for given_as in (str(link), link.as_uri(), f"{real}/"):
        destination = Destination(given_as)
        for form in (f"{real}/7", f"{real.as_uri()}/7", "mlflow-artifacts:/7"):
            assert destination.folder(7, "default", form) == f"{real}/7"
    assert Destination(str(link)).folder(7, "default", f"{link}/7") == f"{real}/7"


def test_a_default_root_of_its_own_counts_as_the_destination() -> None:
    destination = Destination("/artifacts", "s3://bucket/root")
    location = "s3://bucket/root/7"
    assert destination.folder(7, "default", location) == location
    assert _place(destination, location, f"{location}/{_RUN}/artifacts")
    below = Destination("s3://bucket/store", "mlflow-artifacts:/team")
    assert below.folder(7, "default", "mlflow-artifacts:/team/7") == "s3://bucket/store/team/7"


@pytest.mark.parametrize(
    "location",
    [
        "s3://bucket/data/7",
        "s3://bucket/store/70",
        "s3://bucket/store/07",
        "s3://bucket/store/x/7",
        "s3://bucket/store/7/",
        "s3://bucket/store//7",
        "s3://bucket/store-2/7",
        "s3://other/store/7",
        "s3://bucket",
        "s3://bucket/store",
        "mlflow-artifacts:/",
        "mlflow-artifacts:7",
        "mlflow-artifacts://7",
        "mlflow-artifacts://host/7",
        "mlflow-artifacts:/?/7",
        "mlflow-artifacts:/23?/7",
        "s3://bucket/backups?/7",
        "s3://bucket/store/?/7",
        "s3://bucket/store/../backups/7",
        "file://localhost/srv/data?/7",
        "mlflow-artifacts:/x/../7",
        "mlflow-artifacts:/%37",
        "MLFLOW-ARTIFACTS:/7",
        "7",
        "",
    ],
)
def test_nothing_else_is_an_experiment_s_own_folder(location: str) -> None:
    with pytest.raises(NotOwnError):
        Destination("s3://bucket/store").folder(7, "default", location)


@pytest.mark.parametrize(
    ("experiment", "tail", "reason"),
    [
        ("s3://other/x", f"/{_RUN}/artifacts", "outside"),
        ("s3://bucket/store/x", f"/{_RUN}", "not where MLflow puts it"),
        ("s3://bucket/store/x", "/ffffffffffffffffffffffffffffffff/artifacts", "not where"),
        ("s3://bucket/store/x", f"/y/{_RUN}/artifacts", "not where MLflow puts it"),
        ("s3://bucket/store/x", f"/{_RUN}/artifacts/", "not where MLflow puts it"),
        ("s3://bucket/store/x?y", f"/{_RUN}/artifacts", "not plainly written"),
        ("s3://bucket/store/../x", f"/{_RUN}/artifacts", "not plainly written"),
        ("s3://bucket/store/a;b", f"/{_RUN}/artifacts", "not plainly written"),
        ("s3://bucket/store/a\\b", f"/{_RUN}/artifacts", "not plainly written"),
        ("s3://bucket/store/a%2eb", f"/{_RUN}/artifacts", "not plainly written"),
        ("s3://bucket/store/a\nb", f"/{_RUN}/artifacts", "a[?]b.*not plainly written"),
        (f"s3://bucket/store/1/{'f' * 32}/artifacts/x", f"/{_RUN}/artifacts", "something else"),
    ],
)
def test_what_is_not_own_says_why(experiment: str, tail: str, reason: str) -> None:
    with pytest.raises(NotOwnError, match=reason):
        _place(Destination("s3://bucket/store"), experiment, experiment + tail)


_WORDS = "mlflow-artifacts: file: s3: ROOT bucket localhost 7 8 RUN artifacts models link x"
_SIGNS = "/ // . .. %2e ? # ; \\ @ : ~"
_PIECES = st.sampled_from(_WORDS.split() + _SIGNS.split())
_TEXTS = st.lists(_PIECES, max_size=9).map("".join).map(lambda text: text.replace("RUN", _RUN))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(of_experiment=_TEXTS, location=_TEXTS, own=st.booleans())
def test_whatever_is_own_lies_below_the_destination_under_the_entity_s_id(
    tmp_path: Path, of_experiment: str, location: str, own: bool
) -> None:
    root = tmp_path / "root"
    root.mkdir(exist_ok=True)
    if not (root / "link").exists():
        (root / "link").symlink_to("/")
    of_experiment = of_experiment.replace("ROOT", str(root))
    location = f"{of_experiment.rstrip('/')}/{_RUN}/artifacts" if own else location
    try:
        place = _place(Destination(str(root)), of_experiment, location.replace("ROOT", str(root)))
    except NotOwnError:
        return
    assert place.startswith(f"{root}/")
    assert place.endswith(f"/{_RUN}/artifacts")
    assert os.path.realpath(place) == place
    assert not set("?#%;\\") & set(place.removeprefix(str(root)))


_PATHS = st.lists(st.sampled_from(["a", "b", "ab", "a!", "c-"]), min_size=1, max_size=4).map(
    "/".join
)


@given(folders=st.lists(_PATHS), experiments=st.lists(_PATHS), place=_PATHS)
def test_a_claim_is_what_is_equal_lies_in_it_or_holds_all_of_it(
    folders: list[str], experiments: list[str], place: str
) -> None:
    destination = Destination("s3://bucket/store")
    texts = [f"mlflow-artifacts:/{path}" for path in folders]
    claims = gather(destination, texts, [f"s3://bucket/store/{path}" for path in experiments])

    def lies_in(one: str, other: str) -> bool:
        return one == other or one.startswith(f"{other}/")

    expected = any(lies_in(path, place) for path in folders + experiments) or any(
        lies_in(place, path) for path in folders
    )
    assert (claims.on(f"s3://bucket/store/{place}") is not None) == expected


@pytest.mark.parametrize(
    "text",
    [
        f"runs:/{_RUN}/model",
        f"s3://bucket/store/7/{_RUN}/artifacts",
        f"s3://bucket/store/7/{_RUN.upper()}/artifacts/model/",
        "s3://bucket/store/7/%30" + _RUN[1:] + "/artifacts",
        "s3://bucket/store/7/%2530" + _RUN[1:] + "/artifacts/x",
        f"s3a://renamed/7/{_RUN}/artifacts/model",
        f"mlflow-artifacts://host:5000/7/{_RUN}/artifacts/model?x#y",
        f"https://host/api/2.0/mlflow-artifacts/artifacts/7/{_RUN}/artifacts",
        "s3://bucket/store/7",
        "s3://bucket/store/",
        "s3://bucket/x/../store/7/",
        "mlflow-artifacts:/",
        "http://host/prefix/api/2.0/mlflow-artifacts/artifacts/7",
    ],
)
def test_a_registered_version_keeps_a_run_however_it_names_it(text: str) -> None:
    destination = Destination("s3://bucket/store")
    nothing = gather(destination, [])
    needed = Needed(gather(destination, [text]), nothing, nothing, {7: "mlflow-artifacts:/7"})
    row = _Row(_RUN, f"mlflow-artifacts:/7/{_RUN}/artifacts")
    kept = judge(destination, needed, "", [row]).registered
    assert kept == {_RUN}
    other = Needed(nothing, nothing, nothing, needed.experiments)
    assert judge(destination, other, "", [row]).places == {
        _RUN: f"s3://bucket/store/7/{_RUN}/artifacts"
    }


class _Row:
    experiment_id, source_run = 7, None

    def __init__(self, key: str, location: Any) -> None:
        self.key, self.location = key, location


def test_all_of_a_bucket_is_no_path_to_delete() -> None:
    for uri in ("s3://bucket", "s3://bucket/", "oci://bucket@namespace//"):
        with pytest.raises(ValueError, match="no path below its bucket"):
            path_of(uri)
    assert path_of("s3://bucket/a/b/") == "a/b"
