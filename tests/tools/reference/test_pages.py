"""The committed reference is what the code says, and leaves nothing out."""

import re
from dataclasses import fields

import pytest

from infra.outputs import OUTPUTS, Deployment
from infra.place import ROOT
from runtime.access.rules.roles import rule_of
from runtime.access.rules.routes import TABLE
from runtime.cli import COMMANDS
from runtime.metrics import Metrics
from runtime.settings import RuntimeSettings, load
from runtime.settings.meanings import MEANINGS
from tools.reference import PAGES, commands, metrics, outputs, routes, variables


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_reference_is_the_generated_one(name: str) -> None:
    assert (ROOT / name).read_text() == PAGES[name](), f"{name} is old: run `make reference`"


def _first_column(page: str) -> list[str]:
    return re.findall(r"(?m)^\| `([^`]+)`", page)


def test_every_output_is_documented() -> None:
    exported = {field.name for field in fields(Deployment)} | {"registry_uri", "retention"}
    assert set(_first_column(outputs.page())) == exported
    assert all(OUTPUTS.values())


def test_every_command_has_a_section_and_every_option_a_meaning() -> None:
    sections = re.findall(r"(?m)^### trackstack (.+)$", commands.page())
    assert COMMANDS.keys() <= set(sections)
    assert {"backup verify", "token add", "promote model"} <= set(sections)
    silent = [
        f"{name} {option['opts'][-1]}"
        for name, info in commands.commands()
        for option in info["params"]
        if option["param_type_name"] == "option" and not option["help"]
    ]
    assert silent == []


def test_every_target_of_make_is_documented() -> None:
    phony = re.findall(r"(?m)^\.PHONY: (.+)$", (ROOT / "Makefile").read_text())[0].split()
    assert set(commands.targets()) == set(phony)


def test_every_variable_says_what_it_means() -> None:
    assert {name for name, text in variables.meanings().items() if not text} == set()
    assert MEANINGS.keys() <= RuntimeSettings.model_fields.keys()
    assert len(_first_column(variables.page())) == len(RuntimeSettings.model_fields)


def test_every_metric_of_a_server_is_documented() -> None:
    """By what a server says, and not by what the page is made of."""
    server = Metrics(load({}))
    server.observe("GET", "/", 200, 0.1)
    told = set(re.findall(r"(?m)^# TYPE (\w+) ", server.render().decode()))
    # The client library's own, of when a counter began.
    told = {name for name in told if not name.endswith("_created")}
    assert len(told) > 5
    assert told <= set(_first_column(metrics.page()))


def test_every_route_is_documented_with_the_role_that_it_needs() -> None:
    rows = re.findall(r"(?m)^\| ([A-Z, ]+) \| `(.+)` \| (\w+) \| (\w+) \|$", routes.page())
    lines = [line for line in TABLE.splitlines() if line and not line.startswith("#")]
    assert len(rows) == len(lines)
    for methods, path, role, scope in rows:
        if "{" not in path:
            for method in methods.split(", "):
                rule = rule_of(method, path)
                assert rule is not None
                assert (rule.role.name.lower(), rule.scope.value) == (role, scope), path
