"""A release says what the changelog says of its version, or is none."""

import pytest

from tools.release_notes import notes

_CHANGELOG = """# Changelog

## Unreleased
- later

## 0.2.0 - 2026-11-26
### Added
- this

## 0.1.0
- before
"""


@pytest.mark.parametrize(
    ("version", "said"), [("0.2.0", "### Added\n- this"), ("0.1.0", "- before")]
)
def test_the_section_of_the_version_and_no_other(version: str, said: str) -> None:
    assert notes(f"v{version}", version, _CHANGELOG) == said


@pytest.mark.parametrize(
    ("tag", "version", "reason"),
    [
        ("v0.2.0", "0.1.0", "the tag is v0.2.0, and pyproject.toml has version 0.1.0"),
        ("v0.2.1", "0.2.1", "CHANGELOG.md has no section 0.2.1"),
        ("0.2.0", "0.2.0", "the tag is 0.2.0"),
    ],
)
def test_what_does_not_agree_is_no_release(tag: str, version: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        notes(tag, version, _CHANGELOG)
