"""How this process logs in to OCI, the clients that do so, and the same login for the provider.

`OCIFS_IAM_TYPE`: ``api_key`` (``~/.oci/config``, or the file and profile of `OCI_CONFIG_FILE` and
`OCI_CONFIG_PROFILE`), ``resource_principal`` (a container instance), ``instance_principal`` (a VM).
https://docs.oracle.com/iaas/Content/API/Concepts/sdk_authentication_methods.htm
"""

import functools
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from runtime import settings
from runtime.errors import UserError
from runtime.oci import config_file
from runtime.settings import RuntimeSettings

_CONNECT_SECONDS, _READ_SECONDS = 10, 60

# What a client of the SDK takes: a configuration, and a signer where that holds no key.
Login = tuple[dict[str, Any], dict[str, Any]]


# How the provider calls what logs in without a file, and the one file that it reads sessions from.
_AUTH: Mapping[settings.OciLogin, str] = {
    "resource_principal": "ResourcePrincipal",
    "instance_principal": "InstancePrincipal",
}
_HOME_FILE = "~/.oci/config"
_OLD_FILE = Path("~/.oraclebmc/config")
_PREFIX = "TF_VAR_"
_CHOSEN = ("OCI_CONFIG_PROFILE", "OCI_CONFIG_FILE")
# Ours -> the provider's; https://registry.terraform.io/providers/oracle/oci/latest/docs
_OF_KEYS = {
    "tenancy": "tenancy_ocid",
    "user": "user_ocid",
    "fingerprint": "fingerprint",
    "key_file": "private_key_path",
    "key_content": "private_key",
    "pass_phrase": "private_key_password",
}


def _read(given: RuntimeSettings) -> dict[str, Any]:
    """What the profile says. Raises what the SDK raises where it has no login, and OSError where
    its files cannot be read.
    """
    from oci import config

    file = Path(given.oci_config_file).expanduser()
    # The SDK has another place to look where its default is not there at all.
    if (wrong := config_file.problem(file)) and not _OLD_FILE.expanduser().exists():
        raise OSError(wrong)
    found = cast(Any, config).from_file(given.oci_config_file, given.oci_config_profile)
    return cast("dict[str, Any]", found)


def _api_key() -> Login:
    found = _read(settings.load())
    if wrong := config_file.key_problem(found):
        raise OSError(wrong)
    if "security_token_file" in found:
        return found, {"signer": _session(found)}
    return found, {}


def _session(found: dict[str, str]) -> Any:
    """The signer of `oci session authenticate`."""
    from oci import signer
    from oci.auth import signers

    password = found.get("pass_phrase")
    key = cast(Any, signer).load_private_key_from_file(found["key_file"], password)
    token = Path(found["security_token_file"]).expanduser().read_text()
    return cast(Any, signers).SecurityTokenSigner(token, key)


def _resource_principal() -> Login:
    from oci.auth import signers

    signer = cast(Any, signers).get_resource_principals_signer()
    return {"region": signer.region}, {"signer": signer}


def _instance_principal() -> Login:
    from oci.auth import signers

    signer = cast(Any, signers).InstancePrincipalsSecurityTokenSigner()
    return {"region": signer.region}, {"signer": signer}


_LOGINS: Mapping[settings.OciLogin, Callable[[], Login]] = {
    "api_key": _api_key,
    "resource_principal": _resource_principal,
    "instance_principal": _instance_principal,
}


@functools.cache
def _login(kind: settings.OciLogin) -> Login:
    try:
        return _LOGINS[kind]()
    except Exception as error:
        raise _no_login(kind, error) from None


def _no_login(kind: settings.OciLogin, error: Exception) -> UserError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return UserError(f"OCIFS_IAM_TYPE={kind}: OCI gives no login: {reason}")


def of_provider(given: RuntimeSettings) -> dict[str, str]:
    """The login of ``given`` for Pulumi's provider, as the variables that it reads before all else.

    By itself it knows no OCI_CONFIG_PROFILE, and of two files takes the one in the home directory,
    so that it may be another user than this process. What stands in the program instead would get
    into the stack's state, and the next person's `destroy` would look for this one's key. Raises
    UserError where there is no login, and where it is a session of another file.
    """
    kind = given.oci_login
    if kind != "api_key":
        return _variables(auth=_AUTH[kind])
    try:
        found = _read(given)
    except Exception as error:
        raise _no_login(kind, error) from None
    if "security_token_file" not in found:
        known = {name: found[key] for key, name in _OF_KEYS.items() if found.get(key)}
        if "private_key_path" in known:
            known["private_key_path"] = str(Path(known["private_key_path"]).expanduser().resolve())
        return _variables(auth="ApiKey", **known)
    file, home = (Path(text).expanduser() for text in (given.oci_config_file, _HOME_FILE))
    if file.resolve() != home.resolve():
        raise UserError(
            f"OCI_CONFIG_FILE: {file} holds a session of `oci session authenticate`, which "
            f"Pulumi's provider takes from {_HOME_FILE} alone; put the profile there, or use an "
            "API key"
        )
    return _variables(auth="SecurityToken", config_file_profile=given.oci_config_profile)


def missing(environment: Mapping[str, str]) -> str:
    """The variable by which the provider would be another user than this process, for want of
    ``of_provider``'s; empty where it is the same.
    """
    if f"{_PREFIX}auth" in environment:
        return ""
    return next((name for name in _CHOSEN if environment.get(name)), "")


def _variables(**known: str) -> dict[str, str]:
    return {f"{_PREFIX}{name}": value for name, value in known.items()}


def signer() -> Any:
    """What signs a request of `requests`. Raises UserError where there is no login."""
    configuration, given = _login(settings.load().oci_login)
    if "signer" in given:
        return given["signer"]
    return importlib.import_module("oci.signer").Signer.from_config(configuration)


def tenancy() -> str:
    """The OCID of the tenancy that this process logs in to. Raises UserError where it does not."""
    configuration, given = _login(settings.load().oci_login)
    signed = getattr(given.get("signer"), "tenancy_id", None)
    return str(configuration.get("tenancy") or signed or "unknown")


def client(service: str, kind: str) -> Any:
    """A client of the SDK (``object_storage``, ``ObjectStorageClient``) that is logged in.

    It asks again where OCI is busy or cannot be reached, and may be shared between threads.
    Raises UserError where there is no login.
    """
    try:
        retry: Any = importlib.import_module("oci.retry")
        client_class = getattr(importlib.import_module(f"oci.{service}"), kind)
    except ImportError:
        raise UserError.of_extra("OCI", "oci") from None
    configuration, given = _login(settings.load().oci_login)
    return client_class(
        configuration,
        **given,
        timeout=(_CONNECT_SECONDS, _READ_SECONDS),
        retry_strategy=retry.DEFAULT_RETRY_STRATEGY,
    )
