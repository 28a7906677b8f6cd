"""Blob storage made real: Azurite, behind a front that asks the door who the caller is.

The front has the account's own name and a certificate for it. Azurite itself is spoken to with a
signature of the account, which nobody else has.
"""

import base64
import hashlib
from datetime import datetime, timedelta, timezone
from typing import Any

from tests import docker as parts
from tests.clouds.azure.real import Real
from tests.clouds.ground import azurite
from tests.conftest import wait_for

_DAYS = 30


def start(real: Real, id: str, account: str) -> None:
    """Serve an account at the name that it has in Azure."""
    ground = real.ground
    data = ground.files(f"blob-{account}-data", {})
    command, port = azurite.command(ground.gateway, data)
    accounts = {"AZURITE_ACCOUNTS": f"{account}:{_key(real, account)}"}
    process = ground.process(f"azurite-{account}", command, accounts)
    upstream = f"{ground.gateway}:{port}"
    (data.parent / f"azurite-{account}.address").write_text(upstream)
    host = f"{account}.blob.core.windows.net"
    chain, key = ground.authority.issue(host)
    caddyfile = (
        "{\nadmin off\nauto_https off\nskip_install_trust\n}\n"
        f"https://{host} {{\ntls /front/tls.pem /front/tls.key\n"
        f"forward_auth {ground.door.address} {{\nuri /blob{id}\n}}\n"
        "request_header -Authorization\n"
        f"rewrite * {{path}}?{{query}}&{_signature(real, account)}\n"
        f"reverse_proxy {upstream}\n}}\n"
    )
    files = {"tls.pem": chain, "tls.key": key, "Caddyfile": caddyfile.encode()}
    folder = ground.files(f"blob-{account}", files)
    run = ["caddy", "run", "--adapter", "caddyfile", "--config", "/front/Caddyfile"]
    ground.run(
        f"blob-{account}", parts.part_image("front"), run, aliases=[host], mounts={"/front": folder}
    )
    wait_for(lambda: _is_up(real, account), f"Azurite for {account}", 60)
    assert process.poll() is None


def stop(real: Real, account: str) -> None:
    """End it; what it held is gone."""
    real.ground.end(f"azurite-{account}")
    real.ground.remove(f"blob-{account}", f"blob-{account}-data")


def client(real: Real, account: str) -> Any:
    """The account itself, for what the control plane does and for tests that look behind."""
    from azure.core.credentials import AzureNamedKeyCredential
    from azure.storage.blob import BlobServiceClient

    address = (real.ground.folder / f"azurite-{account}.address").read_text()
    credential = AzureNamedKeyCredential(account, _key(real, account))
    # Azurite takes an address without a name for one with the account in the path.
    return BlobServiceClient(f"http://{address}/{account}", credential=credential)


def make_container(real: Real, account: str, name: str) -> None:
    client(real, account).create_container(name)


def _is_up(real: Real, account: str) -> bool:
    try:
        list(client(real, account).list_containers())
    except Exception:
        return False
    return True


def _key(real: Real, account: str) -> str:
    seed = f"{real.ground.authority.key}{real.ground.name}{account}".encode()
    return base64.b64encode(hashlib.sha512(seed).digest()).decode()


def _signature(real: Real, account: str) -> str:
    from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

    return generate_account_sas(
        account,
        _key(real, account),
        ResourceTypes(service=True, container=True, object=True),
        AccountSasPermissions(
            read=True, write=True, delete=True, list=True, add=True, create=True, update=True
        ),
        datetime.now(timezone.utc) + timedelta(days=_DAYS),
    )
