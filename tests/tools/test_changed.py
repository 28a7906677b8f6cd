"""What of the project a developer changed."""

import shutil
import subprocess
from pathlib import Path

from infra.place import ROOT


def _git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def _changed(folder: Path) -> list[str]:
    command = [folder / "tools" / "changed.sh"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def test_files_that_differ_from_what_was_pushed_are_named(tmp_path: Path) -> None:
    pushed, mine = tmp_path / "pushed", tmp_path / "mine"
    (pushed / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "changed.sh", pushed / "tools")
    assert _changed(pushed) == [], "no git"
    for name in ("kept.py", "edited.py", "gone.py", "page.md"):
        (pushed / name).write_text("one")
    _git(pushed, "init", "--quiet")
    _git(pushed, "add", ".")
    _git(pushed, "commit", "--quiet", "--message", "one")
    _git(tmp_path, "clone", "--quiet", str(pushed), str(mine))
    assert _changed(mine) == []
    for name in ("edited.py", "page.md", "new.py"):
        (mine / name).write_text("two")
    (mine / "gone.py").unlink()
    assert _changed(mine) == ["edited.py", "new.py"]
    _git(mine, "commit", "--quiet", "--all", "--message", "two")
    assert _changed(mine) == ["edited.py", "new.py"], "not pushed"
