"""Every secret file that a workload reads is one that its cloud makes."""

from typing import Any

import pytest
from pydantic.alias_generators import to_snake

from infra.clouds.deploy import deploy
from infra.clouds.shared.secret_files import SecretFiles
from infra.inputs import Secrets
from infra.outputs import Deployment
from infra.place import ROOT
from infra.plan import Plan, make_plan
from infra.plan.place import Place
from infra.rehearsal.dump import recording
from infra.rehearsal.dump.recording import Registered, record
from infra.settings import parse
from tests.infra.recording import AzureMade, Made, OciMade
from tests.infra.stack_files import AZURE, OCI, as_given

_SIGN_IN = {
    "oidcIssuer": "https://login.example.com",
    "oidcClientId": "client",
    "allowedGroups": ["all"],
}


def _deployed(
    keys: dict[str, Any], made: Made, secrets: frozenset[str]
) -> tuple[frozenset[str], list[Registered]]:
    """The files that the plan's workloads read, and what is registered."""
    settings = parse(as_given(keys | _SIGN_IN))
    plan = make_plan(settings, Place("test", ROOT, secrets))
    values = {to_snake(key): "postgresql://u:p@h/d" for key in secrets}
    found = record(plan, "test", made, values)
    return plan.workloads.secret_files, found


_OF_PROCESSES = frozenset({"oidcClientSecret", "pruneWebhook"})


@pytest.mark.parametrize("secrets", [_OF_PROCESSES, _OF_PROCESSES | {"backendStoreUri"}])
@pytest.mark.parametrize(
    ("keys", "made"),
    [
        ({"cloud": "local", "compute": "container"}, Made),
        (AZURE, AzureMade),
        ({**AZURE, "compute": "scale"}, AzureMade),
        (OCI, OciMade),
        ({**OCI, "compute": "vm"}, OciMade),
    ],
    ids=["docker", "azure", "azure-scale", "oci", "oci-vm"],
)
def test_in_containers_and_on_machines(
    keys: dict[str, Any], made: type[Made], secrets: frozenset[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[SecretFiles] = []
    make = SecretFiles.__init__

    def noting(self: SecretFiles, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        seen.append(self)

    monkeypatch.setattr(SecretFiles, "__init__", noting)
    read, _ = _deployed(keys, made(), secrets)
    [files] = seen
    assert {"oidc_client_secret", "prune_webhook"} <= files.files.keys() & read
    assert read - files.files.keys() == set()


def test_in_processes_of_this_machine() -> None:
    keys = {"cloud": "local", "port": 65124}
    read, found = _deployed(keys, Made(), _OF_PROCESSES)
    files = {r.inputs["file"] for r in found if "file" in r.inputs}
    assert {"oidc_client_secret", "prune_webhook"} <= files & read
    assert read - files == set()


@pytest.mark.parametrize(
    ("keys", "made"),
    [({"cloud": "local", "compute": "container"}, Made), (AZURE, AzureMade), (OCI, OciMade)],
    ids=["docker", "azure", "oci"],
)
def test_a_certificate_of_the_stack_file_s_is_exported_so_that_commands_trust_it(
    keys: dict[str, Any], made: type[Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Deployment] = []

    def noting(plan: Plan, secrets: Secrets) -> Deployment:
        found.append(deploy(plan, secrets))
        return found[-1]

    monkeypatch.setattr(recording, "deploy", noting)
    files = {"tls": "files", "tlsCertificateFile": "c.pem", "hostname": "mlflow.example.com"}
    texts = {"tlsCertificateFile": "its chain"}
    place = Place("test", ROOT, frozenset({"tlsKey"}), texts=texts)
    record(make_plan(parse(as_given(keys | files)), place), "test", made(), {"tls_key": "k"})
    [deployment] = found
    assert (deployment.server_certificate, deployment.ca_certificate) == ("its chain", None)
