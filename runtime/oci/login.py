"""How this process logs in to OCI, and the clients that do so.

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

_CONNECT_SECONDS, _READ_SECONDS = 10, 60

# What a client of the SDK takes: a configuration, and a signer where that holds no key.
Login = tuple[dict[str, Any], dict[str, Any]]


def _api_key() -> Login:
    from oci import config

    given = settings.load()
    found = cast(Any, config).from_file(given.oci_config_file, given.oci_config_profile)
    if "security_token_file" in found:
        return found, {"signer": _session(found)}
    return found, {}


def _session(found: dict[str, str]) -> Any:
    """The signer of `oci session authenticate`."""
    from oci import signer
    from oci.auth import signers

    key = cast(Any, signer).load_private_key_from_file(found["key_file"])
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
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"OCIFS_IAM_TYPE={kind}: OCI gives no login: {reason}") from None


def signer() -> Any:
    """What signs a request of `requests`. Raises UserError where there is no login."""
    configuration, given = _login(settings.load().oci_login)
    if "signer" in given:
        return given["signer"]
    return importlib.import_module("oci.signer").Signer.from_config(configuration)


def client(service: str, kind: str) -> Any:
    """A client of the SDK (``object_storage``, ``ObjectStorageClient``) that is logged in.

    It asks again where OCI is busy or cannot be reached, and may be shared between threads.
    Raises UserError where there is no login.
    """
    try:
        retry: Any = importlib.import_module("oci.retry")
        client_class = getattr(importlib.import_module(f"oci.{service}"), kind)
    except ImportError:
        raise UserError("OCI needs the extra `oci`: pip install 'trackstack[oci]'") from None
    configuration, given = _login(settings.load().oci_login)
    return client_class(
        configuration,
        **given,
        timeout=(_CONNECT_SECONDS, _READ_SECONDS),
        retry_strategy=retry.DEFAULT_RETRY_STRATEGY,
    )
