"""The agent of a machine brings itself up to date, and applies all again as another."""

import base64
import gzip
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_SOURCE = Path(__file__).parents[3] / "runtime" / "systemd" / "agent.py"


class _Machine:
    """A machine's folders below ``root``, and the commands that its agent has run."""

    def __init__(self, root: Path) -> None:
        self.root, self.ran = root, list[str]()
        self.description: dict[str, Any] = {
            "image": f"registry.example/t@sha256:{'a' * 64}",
            "secrets": {},
            "units": {"trackstack-server.service": "the server"},
            "enabled": ["trackstack-server.service"],
            "files": {"server.env": "A=b\n"},
        }
        for name in ("images", "files", "units", "state"):
            (root / name).mkdir()
        (root / "images" / f"{'a' * 64}").mkdir()
        (root / "files" / "agent.py").write_text(_SOURCE.read_text())

    def run(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """One run of the agent that the machine has by now; the commands that it ran."""
        file = self.root / "files" / "agent.py"
        agent: Any = ModuleType("agent")
        agent.__file__ = str(file)
        exec(compile(file.read_text(), file, "exec"), agent.__dict__)
        agent._IMAGES, agent._FILES = self.root / "images", self.root / "files"
        agent._UNITS, agent._STATE = self.root / "units", self.root / "state"
        agent._SECRETS, agent._APPLIED = self.root / "state/secrets", self.root / "state/applied"
        agent._TRUSTED = self.root / "trusted.crt"
        ran: list[str] = []

        def note(*command: str | Path) -> None:
            ran.append(" ".join(map(str, command)))

        agent._run = note
        text = gzip.compress(json.dumps(self.description).encode(), mtime=0)
        monkeypatch.setattr("sys.argv", ["agent.py", "azure", "client"])
        described = base64.b64encode(text).decode()

        def description(_self: object) -> str:
            return described

        agent.Azure.description = description
        agent.main()
        return ran


@pytest.fixture
def machine(tmp_path: Path) -> _Machine:
    return _Machine(tmp_path)


_RESTART = "systemctl --no-block restart trackstack-server.service"


def test_another_agent_applies_all_again_and_restarts_only_what_changed(
    machine: _Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _RESTART in machine.run(monkeypatch)
    assert machine.run(monkeypatch) == []
    newer = _SOURCE.read_text() + "# newer\n"
    machine.description["files"]["agent.py"] = newer
    machine.description["units"]["trackstack-agent.service"] = "the newer agent's"
    ran = machine.run(monkeypatch)
    assert _RESTART not in ran
    assert "systemctl daemon-reload" in ran
    assert (machine.root / "files" / "agent.py").read_text() == newer
    assert (machine.root / "units" / "trackstack-agent.service").exists()
    assert "systemctl daemon-reload" in machine.run(monkeypatch)
    assert machine.run(monkeypatch) == []


def test_authorities_are_trusted_before_anything_is_fetched_and_no_longer_when_they_are_gone(
    machine: _Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.description["trusted"] = []
    assert "update-ca-certificates" not in machine.run(monkeypatch)
    machine.description["trusted"] = ["PEM 1", "PEM 2"]
    assert machine.run(monkeypatch)[0] == "update-ca-certificates"
    assert (machine.root / "trusted.crt").read_text() == "PEM 1\nPEM 2\n"
    machine.description["trusted"] = []
    assert machine.run(monkeypatch)[0] == "update-ca-certificates"
    assert (machine.root / "trusted.crt").read_text() == ""
