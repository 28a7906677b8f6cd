"""Pages that are about what the code says say what the code says."""

import ast
import re
from collections.abc import Iterator

from infra.place import ROOT
from infra.settings import MODELS, SECRET_KEYS
from tests.docs.pages import pages

_OPERATIONS = ROOT / "docs" / "operations"
# Said by the engine, by Python or by its installer.
_NOT_OURS = {
    "the stack is currently locked",
    "CERTIFICATE_VERIFY_FAILED",
    "Could not automatically download and install resource plugin",
    "invalid peer certificate",
    "no module named venv",
}


def _texts() -> Iterator[str]:
    """Every text in the code, and the scripts whole."""
    for folder in ("infra", "runtime"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
    for path in (ROOT / "tools").glob("*.sh"):
        yield path.read_text()


def test_every_message_in_troubleshooting_is_one_of_the_code() -> None:
    titles = re.findall(r"(?m)^### (.+)$", (_OPERATIONS / "troubleshooting.md").read_text())
    said = {text for title in titles for text in re.findall(r"`([^`]+)`", title)} - _NOT_OURS
    assert len(said) > 10
    # A message is broken into lines in the code, never in two texts.
    everything = "\n".join(" ".join(text.split()) for text in _texts()).lower()
    assert {text for text in said if text.lower() not in everything} == set()


def test_every_check_of_doctor_has_a_section() -> None:
    checks = {
        node.args[0].value
        for module in (ROOT / "runtime" / "doctor").glob("*.py")
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Finding"
        and isinstance(node.args[0], ast.Constant)
    }
    assert checks
    sections = re.findall(r"(?m)^## (.+)$", (_OPERATIONS / "doctor.md").read_text())
    assert checks <= set(sections), "docs/operations/doctor.md lacks a section for a finding"


def test_every_alarm_of_a_cloud_has_a_section() -> None:
    calls = re.compile(r"\b(?:alarm|_log_alert|MetricAlert)\(\s*\"([a-z-]+)\"")
    alarms = {
        name
        for path in (ROOT / "infra" / "clouds").rglob("observability.py")
        for name in calls.findall(path.read_text())
    }
    assert alarms >= {"server-down", "job-failed", "database-disk"}
    sections = re.findall(r"(?m)^### (.+)$", (_OPERATIONS / "alarms.md").read_text())
    assert alarms <= set(sections), "docs/operations/alarms.md lacks a section for an alarm"


def test_the_tables_of_keys_name_keys_that_there_are() -> None:
    known = {str(field.alias) for model in MODELS for field in model.model_fields.values()}
    named: set[str] = set()
    for page in pages():
        for table in re.findall(r"(?ms)^\| key \|.*?\n\n", page.read_text()):
            first = "".join(re.findall(r"(?m)^\| ([^|]*) \|", table))
            named |= set(re.findall(r"`([a-z]\w+)`", first))
    assert {"cloud", "backupSchedule", "hostname"} <= named
    assert named - known - SECRET_KEYS == set()


def test_every_key_in_an_example_of_a_page_is_one_that_there_is() -> None:
    known = {str(field.alias) for model in MODELS for field in model.model_fields.values()}
    named = {key for page in pages() for key in re.findall(r"trackstack:(\w+)", page.read_text())}
    assert named - known - SECRET_KEYS - {"key"} == set()
