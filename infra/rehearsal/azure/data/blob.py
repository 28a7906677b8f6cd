"""Blob storage emulated by Azurite, behind a reverse proxy that checks who the caller is.

The proxy has the account's own name and a certificate for it, and forwards what is authorized.
Azurite reads the tokens too, but believes all of them.
"""

import base64
import hashlib
from typing import Any

from infra.rehearsal.azure.emulator import Emulator
from infra.rehearsal.host import azurite
from infra.rehearsal.system import daemon


def start(emulator: Emulator, id: str, account: str) -> None:
    """Serve an account at the name that it has in Azure."""
    host = emulator.host
    data = host.files(f"blob-{account}-data", {})
    hostname = f"{account}.blob.core.windows.net"
    chain, key = host.authority.issue(hostname, host.gateway)
    tls = host.files(f"blob-{account}-tls", {"tls.pem": chain, "tls.key": key})
    command, port = azurite.command(host.gateway, data, tls)
    accounts = {"AZURITE_ACCOUNTS": f"{account}:{_key(emulator, account)}"}
    host.process(f"azurite-{account}", command, accounts)
    upstream = f"{host.gateway}:{port}"
    (data.parent / f"azurite-{account}.address").write_text(upstream)
    caddyfile = (
        "{\nadmin off\nauto_https off\nskip_install_trust\n}\n"
        f"https://{hostname} {{\ntls /proxy/tls.pem /proxy/tls.key\n"
        f"forward_auth {host.endpoint.address} {{\nuri /blob{id}\ncopy_headers Authorization\n}}\n"
        f"reverse_proxy https://{upstream} {{\n"
        f"transport http {{\ntls_trusted_ca_certs /proxy/ca.pem\n}}\n}}\n}}\n"
    )
    authority = host.authority.certificate.encode()
    files = {"tls.pem": chain, "tls.key": key, "ca.pem": authority}
    files["Caddyfile"] = caddyfile.encode()
    folder = host.files(f"blob-{account}", files)
    run = ["caddy", "run", "--adapter", "caddyfile", "--config", "/proxy/Caddyfile"]
    host.run(
        f"blob-{account}",
        daemon.built_image("proxy"),
        run,
        aliases=[hostname],
        mounts={"/proxy": folder},
    )
    host.wait_for_process(f"azurite-{account}", lambda: _is_up(emulator, account))


def stop(emulator: Emulator, account: str) -> None:
    """Stop serving an account, and delete its blobs."""
    emulator.host.end(f"azurite-{account}")
    emulator.host.remove(f"blob-{account}", f"blob-{account}-data", f"blob-{account}-tls")


def client(emulator: Emulator, account: str) -> Any:
    """The account behind the proxy, for what the control plane does and for tests."""
    from azure.core.credentials import AzureNamedKeyCredential
    from azure.storage.blob import BlobServiceClient

    address = (emulator.host.folder / f"azurite-{account}.address").read_text()
    credential = AzureNamedKeyCredential(account, _key(emulator, account))
    # Azurite takes an address without a name for one with the account in the path.
    return BlobServiceClient(
        f"https://{address}/{account}",
        credential=credential,
        connection_verify=str(emulator.host.authority.file),
    )


def make_container(emulator: Emulator, account: str, name: str) -> None:
    client(emulator, account).create_container(name)


def _is_up(emulator: Emulator, account: str) -> bool:
    try:
        list(client(emulator, account).list_containers())
    except Exception:
        return False
    return True


def _key(emulator: Emulator, account: str) -> str:
    seed = f"{emulator.host.authority.key}{emulator.host.name}{account}".encode()
    return base64.b64encode(hashlib.sha512(seed).digest()).decode()
