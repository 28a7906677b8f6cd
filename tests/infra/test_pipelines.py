"""The pipelines that users copy: checked by the linters of their makers, and their commands run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.place import ROOT
from tests.go import build_go
from tests.workflows import OWN, scripts

_PIPELINES = ROOT / "stacks" / "pipelines"
_GITHUB, _AZURE, _OCI = (
    _PIPELINES / name
    for name in ("github-actions.yml", "azure-pipelines.yml", "oci-build-spec.yaml")
)
_ALL = (_GITHUB, _AZURE, _OCI)
_MODULE = Path(__file__).parents[1] / "tools" / "actionlint"


def _makes(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    """Target and variables of every `make` in a pipeline."""
    text = "\n".join(scripts(yaml.safe_load(path.read_text())))
    calls = re.findall(r"\bmake ([a-z]+)((?: [A-Z]+=(?:\"[^\"]*\"|\S+))*)", text)
    return [(target, tuple(re.findall(r"([A-Z]+)=", given))) for target, given in calls]


@pytest.mark.parametrize("path", _ALL, ids=lambda path: path.stem)
def test_every_make_is_a_target_that_a_person_has_too(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    makes = _makes(path)
    assert {"preview", "up", "promote", "drift", "run"} <= {target for target, _ in makes}
    for target, variables in makes:
        assert target in targets
        wanted = {"promote": {"FROM", "TO"}, "run": {"STACK", "ARGS"}}.get(target, {"STACK"})
        assert wanted <= set(variables), target


@pytest.mark.parametrize("path", _ALL, ids=lambda path: path.stem)
def test_no_pipeline_stores_a_key(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"secrets\.|client-secret|creds:|AWS_SECRET|private_key", text)


def test_who_pushes_a_branch_has_no_identity_that_reaches_prod() -> None:
    """Each job has its own, and what runs before a review none but the preview's."""
    text = _GITHUB.read_text()
    workflow = yaml.safe_load(text)
    assert "CLIENT_ID" not in str(workflow["env"])
    found = {
        name: {value for key, value in job["env"].items() if key.endswith("CLIENT_ID")}
        for name, job in workflow["jobs"].items()
    }
    whose = {"preview": "PREVIEW", "preview-stack": "PREVIEW", "dev": "DEV", "prod": "PROD"}
    whose["nightly"] = "NIGHTLY"
    assert found == {n: {f"${{{{ vars.AZURE_CLIENT_ID_{who} }}}}"} for n, who in whose.items()}
    environments = {name: job.get("environment") for name, job in workflow["jobs"].items()}
    none = dict.fromkeys(("preview", "preview-stack"))
    assert environments == {**none, "dev": "dev", "prod": "production", "nightly": "nightly"}
    assert workflow["jobs"]["preview-stack"]["env"]["PULUMI_BACKEND_URL"].count("_PREVIEW") == 1
    connections = {
        stage["stage"]: set(re.findall(r"'azureSubscription': '([^']*)'", str(stage)))
        for stage in yaml.safe_load(_AZURE.read_text())["stages"]
    }
    assert connections == {
        name: {f"trackstack-{name}"} for name in ("preview", "dev", "prod", "nightly")
    }


@pytest.mark.parametrize("path", _ALL, ids=lambda path: path.stem)
def test_backups_are_verified_of_prod_alone(path: Path) -> None:
    """The examples of dev stacks make none: `keepData: false`."""
    for cloud in ("azure", "oci"):
        example = yaml.safe_load((ROOT / f"stacks/examples/Pulumi.{cloud}-dev.yaml").read_text())
        assert example["config"]["trackstack:keepData"] is False
    text = "\n".join(scripts(yaml.safe_load(path.read_text())))
    verified = re.findall(r'make run STACK="\$\(?(\w+)\)?" ARGS="backup verify"', text)
    assert [stack.lower() for stack in verified] == ["prod"]


@pytest.mark.parametrize("path", _ALL, ids=lambda path: path.stem)
def test_every_script_is_one_that_a_shell_reads(path: Path) -> None:
    found = scripts(yaml.safe_load(path.read_text()))
    assert found
    for script in found:
        plain = re.sub(r"\$\{\{.*?\}\}", "x", script)
        done = subprocess.run(["bash", "-n"], input=plain, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("schema", "path", "options"),
    [
        ("vendor.github-workflows", _GITHUB, []),
        # The schema has patterns that only a regular expression without `u` may hold.
        (
            "vendor.azure-pipelines",
            _AZURE,
            ["--data-transform", "azure-pipelines", "--regex-variant", "nonunicode"],
        ),
    ],
)
@pytest.mark.slow
def test_a_pipeline_fits_the_published_schema_and_a_broken_one_does_not(
    schema: str, path: Path, options: list[str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *options]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    broken = tmp_path / path.name
    text = path.read_text().replace("timeout-minutes:", "timeout-minuets:")
    broken.write_text(text.replace("- stage: dev", "- staeg: dev"))
    assert subprocess.run([*command, str(broken)], capture_output=True).returncode == 1


@pytest.mark.slow
def test_actionlint_finds_nothing_in_the_workflows_but_in_a_broken_one(tmp_path: Path) -> None:
    package = "github.com/rhysd/actionlint/cmd/actionlint"
    built = build_go(_MODULE, package, tmp_path / "actionlint")
    done = subprocess.run([built, _GITHUB, *OWN], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    broken = tmp_path / "broken.yml"
    broken.write_text(
        _GITHUB.read_text().replace("github.event.number }}", "github.evnt.number }}")
    )
    assert subprocess.run([built, broken], capture_output=True).returncode == 1


def test_the_oci_build_specification_has_what_its_reference_asks_for() -> None:
    """OCI publishes no schema; these are the reference's required keys and step types."""
    found = yaml.safe_load(_OCI.read_text())
    assert (found["version"], found["component"]) == (0.1, "build")
    assert set(found) <= {
        *("version", "component", "timeoutInSeconds", "runAs", "shell", "env", "steps"),
        *("failImmediatelyOnError", "inputArtifacts", "outputArtifacts"),
    }
    assert set(found["env"]) <= {"variables", "vaultVariables", "exportedVariables"}
    for step in found["steps"]:
        assert step["type"] == "Command"
        assert step["name"]
        assert step["command"].strip()
        assert all(each["type"] == "Command" for each in step.get("onFailure", []))


def test_the_oci_pipeline_runs_what_it_is_asked_for(tmp_path: Path) -> None:
    """Its own script, with a `make` that writes down what it was asked for."""
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\necho "make $*"\n')
    make.chmod(0o755)
    spec = yaml.safe_load(_OCI.read_text())
    script = spec["steps"][1]["command"]

    def run(do: str) -> "subprocess.CompletedProcess[str]":
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, **spec["env"]["variables"], "PATH": path, "DO": do}
        return subprocess.run(
            ["bash", "-e", "-c", script], env=environment, capture_output=True, text=True
        )

    assert run("promote").stdout == "make promote FROM=oci-dev TO=oci-prod YES=1\n"
    assert run("nightly").stdout.splitlines() == [
        "make drift STACK=oci-dev",
        "make drift STACK=oci-prod",
        "make run STACK=oci-prod ARGS=backup verify",
    ]
    assert run("").stdout == "make preview STACK=oci-dev\n"
    assert run("anything").returncode == 2
