"""Blob storage made real: Azurite, behind a front that asks the door who the caller is.

The front has the account's own name and a certificate for it, and hands on whom the door lets in.
Azurite reads the tokens too, but believes all of them.
"""

import base64
import hashlib
from typing import Any

from infra.rehearsal.azure.emulator import Real
from infra.rehearsal.host import azurite
from infra.rehearsal.system import daemon as parts
from infra.rehearsal.system.waiting import wait_for


def start(real: Real, id: str, account: str) -> None:
    """Serve an account at the name that it has in Azure."""
    ground = real.ground
    data = ground.files(f"blob-{account}-data", {})
    host = f"{account}.blob.core.windows.net"
    chain, key = ground.authority.issue(host, ground.gateway)
    tls = ground.files(f"blob-{account}-tls", {"tls.pem": chain, "tls.key": key})
    command, port = azurite.command(ground.gateway, data, tls)
    accounts = {"AZURITE_ACCOUNTS": f"{account}:{_key(real, account)}"}
    process = ground.process(f"azurite-{account}", command, accounts)
    upstream = f"{ground.gateway}:{port}"
    (data.parent / f"azurite-{account}.address").write_text(upstream)
    caddyfile = (
        "{\nadmin off\nauto_https off\nskip_install_trust\n}\n"
        f"https://{host} {{\ntls /front/tls.pem /front/tls.key\n"
        f"forward_auth {ground.door.address} {{\nuri /blob{id}\n}}\n"
        f"reverse_proxy https://{upstream} {{\n"
        f"transport http {{\ntls_trusted_ca_certs /front/ca.pem\n}}\n}}\n}}\n"
    )
    authority = ground.authority.certificate.encode()
    files = {"tls.pem": chain, "tls.key": key, "ca.pem": authority}
    files["Caddyfile"] = caddyfile.encode()
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
    real.ground.remove(f"blob-{account}", f"blob-{account}-data", f"blob-{account}-tls")


def client(real: Real, account: str) -> Any:
    """The account itself, for what the control plane does and for tests that look behind."""
    from azure.core.credentials import AzureNamedKeyCredential
    from azure.storage.blob import BlobServiceClient

    address = (real.ground.folder / f"azurite-{account}.address").read_text()
    credential = AzureNamedKeyCredential(account, _key(real, account))
    # Azurite takes an address without a name for one with the account in the path.
    return BlobServiceClient(
        f"https://{address}/{account}",
        credential=credential,
        connection_verify=str(real.ground.authority.file),
    )


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
