"""What a version must fulfil, and by what its content is known: decided without a server."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import UserError
from runtime.promote import gates, lineage


@dataclass(frozen=True)
class _Version:
    version: str
    source: str = "models:/m-1"
    tags: dict[str, str] = field(default_factory=dict[str, str])


@pytest.mark.parametrize(
    ("text", "value", "passed"),
    [
        ("auc>=0.9", 0.9, True),
        ("auc > 0.9", 0.9, False),
        ("auc<=0.9", 0.91, False),
        ("auc<1", 0.5, True),
        ("auc==1e-3", 0.001, True),
        ("auc>=0.9", math.nan, False),
        ("auc<0.9", None, False),
        ("auc>=-inf", None, False),
    ],
)
def test_a_metric_is_compared_as_written_and_none_or_nan_fulfils_nothing(
    text: str, value: float | None, passed: bool
) -> None:
    facts = gates.Facts({} if value is None else {"auc": value}, {})
    assert [verdict.passed for verdict in gates.decide(facts, [gates.parse_metric(text)])] == [
        passed
    ]


@pytest.mark.parametrize("text", ["", "auc", "auc>=", ">=1", "auc=>1", "auc>=high", "a>=1>=2"])
def test_a_metric_gate_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="write it as") as raised:
        gates.parse_metric(text)
    assert raised.value.exit_code == 2


def test_a_tag_must_have_its_very_value() -> None:
    wanted = [gates.parse_tag("validation=passed"), gates.parse_tag("note=a=b")]
    facts = gates.Facts({}, {"validation": "Passed", "note": "a=b"})
    assert [verdict.passed for verdict in gates.decide(facts, wanted)] == [False, True]
    for text in ("validation", "=passed"):
        with pytest.raises(UserError):
            gates.parse_tag(text)


@pytest.mark.parametrize(
    ("tag", "passed"),
    [
        (None, False),
        ("yes", False),
        ('{"verdict": "approved"}', False),
        (gates.Decision("approved", "ann", "2026-11-21T00:00:00+00:00").as_tag(), True),
        (gates.Decision("rejected", "ann", "2026-11-21T00:00:00+00:00").as_tag(), False),
    ],
)
def test_only_a_whole_approval_approves(tag: str | None, passed: bool) -> None:
    facts = gates.Facts({}, {} if tag is None else {gates.APPROVAL_TAG: tag})
    judged = gates.Approval().judge(facts)
    assert judged.passed is passed
    assert ("trackstack promote approve" in judged.found) is (
        gates.read_approval(facts.tags) is None
    )


@pytest.mark.parametrize(
    "text",
    ["fraud/1", "models:/fraud", "models:/m-1", "models:/a/b/1", "models:/a/latest", "runs:/1"],
)
def test_only_a_version_or_an_alias_can_be_promoted(text: str) -> None:
    with pytest.raises(UserError, match="models:/<name>"):
        lineage.parse_uri(text)


def test_a_version_is_found_by_number_and_by_alias() -> None:
    assert lineage.parse_uri("models:/staging.fraud/12").version == "12"
    assert lineage.parse_uri("models:/staging.fraud@Champion").alias == "Champion"


_MANIFESTS = st.dictionaries(
    st.text(min_size=1),
    st.builds(lineage.File, st.integers(0, 9), st.sampled_from(["aa", "bb", "cc"])),
    max_size=4,
)


@given(_MANIFESTS, _MANIFESTS)
def test_the_digest_is_equal_only_where_names_and_contents_are(
    one: lineage.Manifest, other: lineage.Manifest
) -> None:
    def contents(manifest: lineage.Manifest) -> dict[str, str]:
        return {path: file.digest for path, file in manifest.items()}

    same = contents(one) == contents(other)
    assert (lineage.digest_of(one) == lineage.digest_of(other)) is same


def test_a_folder_s_manifest_has_every_file_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "MLmodel").write_bytes(b"x" * (3 << 20))
    (tmp_path / "data" / "empty").touch()
    manifest = lineage.manifest_of(tmp_path)
    assert {path: file.size for path, file in manifest.items()} == {
        "MLmodel": 3 << 20,
        "data/empty": 0,
    }


def test_the_same_content_is_found_by_its_digest_or_as_an_unfinished_copy() -> None:
    versions = [
        _Version("1", tags={lineage.DIGEST_TAG: "sha256:1"}),
        _Version("9", source="models:/staging/1"),
        _Version("10", tags={lineage.DIGEST_TAG: "sha256:1"}),
        _Version("11", source="models:/staging/2", tags={lineage.DIGEST_TAG: "sha256:old"}),
    ]
    assert lineage.find_same(versions, "sha256:1", None) is versions[2]
    assert lineage.find_same(versions, "sha256:2", "models:/staging/1") is versions[1]
    assert lineage.find_same(versions, "sha256:2", "models:/staging/2") is None
    assert lineage.find_same(versions, "sha256:2", None) is None


def test_deployments_are_promoted_by_what_is_installed_beside_the_runtime(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from runtime.promote import command as promote

    context = click.Context(promote.command)
    assert promote.command.list_commands(context) == ["approve", "model", "deployment"]

    def without_infra(**_asked: str) -> list[Any]:
        entry = Mock()
        entry.load.side_effect = ModuleNotFoundError("infra")
        return [entry]

    monkeypatch.setattr(promote, "entry_points", without_infra)
    with pytest.raises(UserError, match="engineer's machine"):
        promote.command.main(["deployment", "--from", "dev"], standalone_mode=False)
