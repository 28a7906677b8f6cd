"""The reverse proxy of a stack, by its own image: what clients see while the server restarts."""

import contextlib
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.plan.proxy import reverse_proxy
from infra.rehearsal.host.host import Host
from infra.rehearsal.system import daemon
from infra.rehearsal.system.waiting import wait_for
from infra.settings import LocalContainer, parse
from tests.infra.clouds.hosted import hosted

pytestmark = pytest.mark.slow

_KEYS = {"cloud": "local", "compute": "container", "tls": "files", "tlsCertificateFile": "x"}


@pytest.fixture
def host() -> Generator[Host]:
    with hosted("proxy") as made:
        yield made


def _start_proxy(host: Host) -> str:
    """A proxy before a server that is not there yet; returns its address."""
    settings = parse(_KEYS)
    assert isinstance(settings, LocalContainer)
    proxy = reverse_proxy(settings, ("front",), upstream="server:5000", probed_below="")
    chain, key = host.authority.issue("front")
    files = host.files("secrets", {"tls_certificate": chain, "tls_key": key})
    host.run(
        "front",
        daemon.built_image("proxy"),
        proxy.command,
        environment=proxy.environment,
        mounts={"/run/secrets/trackstack": files},
    )
    return host.address("front") or ""


def _asked(address: str, name: str) -> tuple[int, float]:
    """The status of an answer, 0 where there is none, and after how many seconds it came."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(f"https://{address}/health", headers={"Host": name})
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=60, context=context) as answer:
            return answer.status, time.monotonic() - began
    except urllib.error.HTTPError as error:
        return error.code, time.monotonic() - began
    except OSError:
        return 0, time.monotonic() - began


def _listens(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
        return True
    return False


def test_what_a_server_broke_off_is_not_asked_again(host: Host) -> None:
    """It may be what broke it."""
    address = _start_proxy(host)
    file, config = "/tmp/Caddyfile", ":5000 {\nabort\n}\n"
    command = f"printf '{config}' >{file} && exec caddy run --adapter caddyfile --config {file}"
    host.run("server", daemon.built_image("proxy"), ["sh", "-c", command], aliases=["server"])
    wait_for(lambda: _listens(host.address("server") or "", 5000), "the server", 30)
    wait_for(lambda: _asked(address, "probed")[0] == 502, "the proxy", 30)
    status, seconds = _asked(address, "front")
    assert status == 502
    assert seconds < 4


def test_a_reader_waits_for_a_server_that_restarts_and_a_probe_does_not(host: Host) -> None:
    address = _start_proxy(host)
    wait_for(lambda: _asked(address, "probed")[0] == 502, "the proxy", 30)
    # Whether it serves is told at once, so that a load balancer leaves it alone.
    assert _asked(address, "probed")[1] < 4
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(_asked, address, "front")
        time.sleep(3)
        answer = ["caddy", "respond", "--listen", ":5000"]
        host.run("server", daemon.built_image("proxy"), answer, aliases=["server"])
        status, seconds = waiting.result()
    assert status == 200
    assert seconds > 2
