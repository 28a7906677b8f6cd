"""Pulumi's provider logs in to OCI as this process does, whoever that is."""

import configparser
from collections.abc import Mapping
from pathlib import Path

import pytest

from runtime import settings
from runtime.errors import UserError
from runtime.oci import config_file, login

_KEY = "key_file=~/.oci/key.pem\nfingerprint=ab:cd\nregion=eu-frankfurt-1\n"
_HOME = (
    f"[DEFAULT]\nuser=ocid1.user.oc1..home\ntenancy=ocid1.tenancy.oc1..home\n{_KEY}"
    "[session]\nsecurity_token_file=~/.oci/token\nuser=\n"
)
_TEAM = (
    f"[DEFAULT]\nuser=ocid1.user.oc1..team\ntenancy=ocid1.tenancy.oc1..team\n{_KEY}"
    "[ci]\nuser=ocid1.user.oc1..ci\n[session]\nsecurity_token_file=~/.oci/token\n"
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".oci").mkdir()
    (tmp_path / ".oci" / "config").write_text(_HOME)
    (tmp_path / ".oci" / "key.pem").write_text("of no use")
    (tmp_path / "team").write_text(_TEAM)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def _signed_by(environment: Mapping[str, str], home: Path) -> str:
    """As terraform-provider-oci 8.28.0 decides it, in internal/provider/provider.go and the Go
    SDK's DefaultConfigProvider.
    """

    def attribute(name: str) -> str | None:
        return environment.get(f"TF_VAR_{name}") or environment.get(f"OCI_{name.upper()}")

    auth, profile = attribute("auth") or "ApiKey", attribute("config_file_profile")
    if auth not in ("ApiKey", "SecurityToken"):
        return auth
    if auth == "ApiKey" and attribute("user_ocid"):
        return f"{attribute('tenancy_ocid')}/{attribute('user_ocid')}"
    own = home / ".oci" / "config"
    file = own if profile or own.exists() else Path(environment["OCI_CONFIG_FILE"])
    found = configparser.ConfigParser()
    found.read(file)
    said = found[profile or "DEFAULT"]
    if auth == "SecurityToken":
        return f"session of {said['security_token_file']}"
    return f"{said['tenancy']}/{said['user']}"


@pytest.mark.parametrize(
    ("given", "who"),
    [
        ({}, "ocid1.tenancy.oc1..home/ocid1.user.oc1..home"),
        ({"OCI_CONFIG_FILE": "team"}, "ocid1.tenancy.oc1..team/ocid1.user.oc1..team"),
        (
            {"OCI_CONFIG_FILE": "team", "OCI_CONFIG_PROFILE": "ci"},
            "ocid1.tenancy.oc1..team/ocid1.user.oc1..ci",
        ),
        ({"OCI_CONFIG_PROFILE": "session"}, "session of ~/.oci/token"),
        ({"OCI_RESOURCE_PRINCIPAL_VERSION": "2.2"}, "ResourcePrincipal"),
        ({"OCIFS_IAM_TYPE": "instance_principal"}, "InstancePrincipal"),
    ],
)
def test_the_provider_is_who_this_process_is(given: dict[str, str], who: str, home: Path) -> None:
    if "OCI_CONFIG_FILE" in given:
        given = {**given, "OCI_CONFIG_FILE": str(home / given["OCI_CONFIG_FILE"])}
    variables = login.of_provider(settings.load(given))
    assert _signed_by({**given, **variables}, home) == who
    if "TF_VAR_private_key_path" in variables:
        assert variables["TF_VAR_private_key_path"] == str(home / ".oci" / "key.pem")


def test_a_plain_pulumi_that_would_be_somebody_else_is_known(home: Path) -> None:
    given = {"OCI_CONFIG_FILE": str(home / "team")}
    assert _signed_by(given, home) != "ocid1.tenancy.oc1..team/ocid1.user.oc1..team"
    assert login.missing(given) == "OCI_CONFIG_FILE"
    assert login.missing({**given, **login.of_provider(settings.load(given))}) == ""
    assert login.missing({}) == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"OCI_CONFIG_FILE": "team", "OCI_CONFIG_PROFILE": "session"}, "put the profile there"),
        ({"OCI_CONFIG_PROFILE": "nobody"}, "Profile 'nobody' not found"),
        ({"OCI_CONFIG_FILE": "none"}, "there is no .*/none: in a container mount it"),
    ],
)
def test_what_is_no_login_is_said_in_one_line(given: dict[str, str], said: str, home: Path) -> None:
    if "OCI_CONFIG_FILE" in given:
        given = {**given, "OCI_CONFIG_FILE": str(home / given["OCI_CONFIG_FILE"])}
    with pytest.raises(UserError, match=said) as refused:
        login.of_provider(settings.load(given))
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "mounts", "words"),
    [
        (None, (), ()),
        (FileNotFoundError(), (), ("there is no", "-v ~/.oci:/home/trackstack/.oci:ro")),
        # As it is printed: `-v ~/.oci:/root/.oci`.
        (FileNotFoundError(), ("/proc", "/root/.oci"), ("/root/.oci is mounted", "--user")),
        (PermissionError(), ("/home/trackstack/.oci",), ("is there and cannot be read", "--user")),
    ],
)
def test_a_mounted_file_that_is_not_found_is_told_from_one_that_cannot_be_read(
    error: OSError | None, mounts: tuple[str, ...], words: tuple[str, ...]
) -> None:
    file = Path("/home/trackstack/.oci/config")
    found = config_file.said(file, error, config_file.mounted(mounts))
    assert bool(found) == bool(words)
    assert all(word in str(found) for word in words)


def test_a_key_that_lies_elsewhere_in_the_container_is_named(home: Path) -> None:
    assert config_file.key_problem({"key_file": "~/.oci/key.pem"}) is None
    said = config_file.key_problem({"key_file": "/home/joe/.oci/mine.pem"})
    assert said is not None
    assert "key_file=~/.oci/mine.pem" in said
