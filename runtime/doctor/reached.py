"""Whether the server is reached, and where not, why: name, address, TLS, certificate, clock."""

import http.client
import socket
import ssl
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from runtime import health
from runtime.access.status.margins import CERTIFICATE_RENEWED_BY
from runtime.doctor import cures
from runtime.doctor.finding import Finding
from runtime.settings import RuntimeSettings, variable
from runtime.settings.values import LOOPBACK

_SECONDS = 10
# A token's end, sessions and schedules go by the clock: so much is no matter for any.
_SKEW = timedelta(seconds=30)
_NAME_MISMATCH, _EXPIRED = 62, 10


@dataclass(frozen=True)
class Reached:
    """What came of asking the liveness route, between two moments of this machine's clock."""

    asked: datetime
    answered: datetime
    status: int = 0
    error: OSError | None = None
    date: datetime | None = None
    """The server's own clock, to the second."""
    certificate_ends: datetime | None = None


def reach(settings: RuntimeSettings) -> Reached:
    """Ask once, as clients do."""
    parts, asked = urlsplit(settings.tracking_uri), datetime.now(timezone.utc)
    link: http.client.HTTPConnection | None = None

    def reached(**found: Any) -> Reached:
        return Reached(asked, datetime.now(timezone.utc), **found)

    try:
        proxy = _proxy(parts)
        link = _connection(parts, proxy, settings)
        # A proxy is asked for plain HTTP by the whole address; TLS goes through it.
        start = f"http://{parts.netloc}" if proxy and parts.scheme != "https" else ""
        link.request("GET", f"{start}{parts.path}{health.PATH}")
        ends = _end_of(link.sock)
        answer = link.getresponse()
        date = _date(answer.getheader("date"))
        return reached(status=answer.status, date=date, certificate_ends=ends)
    except http.client.HTTPException as error:
        return reached(error=ConnectionError(f"no HTTP is spoken there ({type(error).__name__})"))
    except OSError as error:
        return reached(error=error)
    finally:
        if link:
            link.close()


def _proxy(parts: SplitResult) -> SplitResult | None:
    """The proxy on the way there, which knows names that this machine need not."""
    given = urllib.request.getproxies().get(parts.scheme, "")
    if not given or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urlsplit(given if "://" in given else f"http://{given}")


def _connection(
    parts: SplitResult, proxy: SplitResult | None, settings: RuntimeSettings
) -> http.client.HTTPConnection:
    host, port = parts.hostname or "", parts.port
    way = (proxy.hostname or "", proxy.port or 80) if proxy else (host, port)
    if parts.scheme != "https":
        return http.client.HTTPConnection(*way, timeout=_SECONDS)
    context = ssl.create_default_context(cafile=settings.tracking_certificate)
    if settings.tracking_certificate:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    link = http.client.HTTPSConnection(*way, timeout=_SECONDS, context=context)
    if proxy:
        login = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}"
        header = f"Basic {b64encode(login.encode()).decode()}"
        link.set_tunnel(host, port, {"Proxy-Authorization": header} if proxy.username else None)
    return link


def _end_of(link: object) -> datetime | None:
    certificate = link.getpeercert() if isinstance(link, ssl.SSLSocket) else None
    ends = str(certificate.get("notAfter", "")) if certificate else ""
    if not ends:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), timezone.utc)


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None


def server(settings: RuntimeSettings) -> Finding:
    """Whether it answers."""
    return answering(settings, reach(settings))


def answering(settings: RuntimeSettings, reached: Reached) -> Finding:
    """What to say of a server that was asked."""
    uri = settings.tracking_uri
    if reached.status == 200:
        return Finding("server", True, f"{uri} answers")
    parts = urlsplit(uri)
    if parts.hostname in LOOPBACK and _proxy(parts):
        found = f"{uri} is on this machine, and a proxy of the environment is asked for it"
        return Finding("server", False, found, f"export NO_PROXY={','.join(LOOPBACK)}")
    if reached.error is None:
        found = f"{uri} answers {reached.status}"
        if not uri.startswith("https:") and _speaks_tls(uri):
            return Finding("server", False, found, _wrong_scheme("https"))
        return Finding("server", False, found, "another program answers there, or see its log")
    reason, advice = cause(reached.error, uri, settings)
    if not uri.startswith("https:") and _speaks_tls(uri):
        reason, advice = "TLS is spoken there", _wrong_scheme("https")
    return Finding("server", False, f"{uri}: {reason}", advice)


def cause(error: OSError, uri: str, settings: RuntimeSettings) -> tuple[str, str]:
    """Why a server was not reached, and what to do. Pure."""
    parts = urlsplit(uri)
    host, authority = parts.hostname or "", variable("tracking_certificate")
    if isinstance(error, socket.gaierror):
        return (
            f"the name {host} is not known here",
            f"see {variable('given_tracking_uri')}, and whether DNS has the name",
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _NAME_MISMATCH:
            return f"its certificate is not for {host}", "use the name that it is for"
        if error.verify_code == _EXPIRED:
            return "its certificate has ended", "renew it, or see the proxy's log why it was not"
        if settings.tracking_certificate:
            return (
                f"its certificate is not of {settings.tracking_certificate}",
                f"that is another stack's authority: {cures.status(settings)} writes this one's",
            )
        return (
            f"its certificate is not trusted here ({error.verify_message})",
            f"set {authority} to the authority's file: {cures.status(settings)} writes it",
        )
    if isinstance(error, ssl.SSLError):
        return "no TLS is spoken there", _wrong_scheme("http")
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there", cures.start(settings)
    if isinstance(error, TimeoutError):
        return (
            f"no answer within {_SECONDS} s",
            "is it reached from this network (allowedCidrs, private)? else see its log",
        )
    return str(error), cures.start(settings)


def _wrong_scheme(right: str) -> str:
    return f"set {variable('given_tracking_uri')} to {right}://..."


def _speaks_tls(uri: str) -> bool:
    parts = urlsplit(uri)
    if _proxy(parts):
        return False
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Only whether it speaks: nothing is sent.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        address = (parts.hostname or "", parts.port or 80)
        with (
            socket.create_connection(address, _SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname),
        ):
            return True
    except OSError:
        return False


def clock(reached: Reached) -> Finding:
    """Whether this machine's clock and the server's agree. Pure."""
    if reached.date is None:
        return Finding("clock", True, "the server does not tell its own")
    return clocks(reached.asked, reached.date, reached.answered)


def clocks(before: datetime, told: datetime, after: datetime) -> Finding:
    """What to say of the server's clock ``told`` between two moments here. Pure."""
    # It tells whole seconds.
    apart = max(before - told - timedelta(seconds=1), told - after, timedelta(0))
    if apart <= _SKEW:
        return Finding("clock", True, "as the server's")
    found = f"{apart.total_seconds():.0f} s off the server's"
    return Finding("clock", False, found, "have both set by NTP: schedules and tokens go by it")


def certificate(reached: Reached) -> Finding:
    """How long the server's certificate lasts. Pure."""
    return lasting(reached.certificate_ends, reached.answered)


def lasting(ends: datetime | None, now: datetime) -> Finding:
    """What to say of a certificate that ends then; None where there is none. Pure."""
    if ends is None:
        return Finding("certificate", True, "none: plain HTTP")
    found = f"ends {ends:%Y-%m-%d}"
    if ends - now > CERTIFICATE_RENEWED_BY:
        return Finding("certificate", True, found)
    advice = "renew it; one that the proxy renews by itself should have been: see make logs"
    return Finding("certificate", False, f"{found}, in {(ends - now).days} days", advice)
