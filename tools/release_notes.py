"""`python tools/release_notes.py v1.2.3`: the changelog's section of a version, for its release.

Exits with 1 and a line that says why where tag, version and changelog do not agree.
"""

import re
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def notes(tag: str, version: str, changelog: str) -> str:
    """What the changelog says of ``tag``. Pure.

    Raises ValueError where the tag is not that of ``version``, or the changelog says nothing of it.
    """
    if tag != f"v{version}":
        raise ValueError(f"the tag is {tag}, and pyproject.toml has version {version}")
    sections = re.split(r"(?m)^## ", changelog)[1:]
    found = [body for body in sections if re.match(rf"\[?{re.escape(version)}\]?(\s|$)", body)]
    said = found[0].partition("\n")[2].strip() if found else ""
    if not said:
        raise ValueError(f"CHANGELOG.md has no section {version}")
    return said


def _main() -> None:
    project = (_ROOT / "pyproject.toml").read_text()
    [version] = re.findall(r'(?m)^version = "(.+)"$', project)
    try:
        print(notes(sys.argv[1], version, (_ROOT / "CHANGELOG.md").read_text()))
    except ValueError as error:
        sys.exit(f"release_notes: {error}")


if __name__ == "__main__":
    _main()
