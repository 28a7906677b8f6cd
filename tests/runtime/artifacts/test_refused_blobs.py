"""What a login that may not at the blobs of Azure is told, by the real SDK's own errors.

https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
"""

import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from runtime.backup.format.places import Place
from runtime.errors import for_user

_PLACE = "wasbs://backups@acme.blob.core.windows.net/backups"


class _Refusing(BaseHTTPRequestHandler):
    """A proxy to a storage account that lets nobody at its blobs."""

    code: ClassVar[str]

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = f"<Code>{self.code}</Code><Message>This request is not authorized.</Message>"
        body = f"<?xml version='1.0'?><Error>{said}</Error>"
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("x-ms-error-code", self.code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_PUT = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Generator[type[_Refusing]]:
    class Handler(_Refusing):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    # Whatever the login, the account's answer is what counts.
    known = "DefaultEndpointsProtocol=http;AccountName=acme;AccountKey=a2V5"
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING", f"{known};EndpointSuffix=core.windows.net"
    )
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    yield Handler
    server.shutdown()
    server.server_close()
    thread.join()


def _told(place: Place, file: Path | None = None) -> str:
    from azure.core.exceptions import HttpResponseError

    with pytest.raises(HttpResponseError) as caught:
        place.put(file, "new/manifest.json") if file else place.list()
    told = str(for_user(caught.value))
    assert "\n" not in told
    return told


def test_who_may_not_read_or_write_is_told_which_role_does(
    refusing: type[_Refusing], tmp_path: Path
) -> None:
    refusing.code = "AuthorizationPermissionMismatch"
    command = (
        "az role assignment create --assignee LOGIN --role 'Storage Blob Data {}' --scope "
        '"$(az storage account show --name acme --query id --output tsv)'
        '/blobServices/default/containers/backups"'
    )
    assert command.format("Reader") in _told(Place(_PLACE))
    file = tmp_path / "manifest.json"
    file.write_text("{}")
    told = _told(Place(_PLACE), file)
    assert command.format("Contributor") in told
    assert "Owner" in told


def test_who_is_outside_of_the_network_is_told_so(refusing: type[_Refusing]) -> None:
    refusing.code = "AuthorizationFailure"
    told = _told(Place(_PLACE))
    assert "private: true" in told
    assert "role assignment" not in told
