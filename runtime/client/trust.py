"""Trust in a server whose certificate is of an authority that this machine does not know.

A stack with `tls: internal` has an authority of its own, and its proxy tells its certificate to
whoever asks. Whether it is the right one only the person can know: by its fingerprint, which `make
status` prints.
"""

import hashlib
import os
import secrets
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from runtime.client import server, variables
from runtime.errors import UserError


def authority_for(
    url: str, given: str | None, known: str | None, agree: Callable[[str], bool]
) -> str | None:
    """The file of the authority to check the server's certificate by; None for the system's.

    ``given`` is a file that the user named, and ``known`` a fingerprint: with neither, ``agree`` is
    asked a question. Raises UserError where the server is not to be trusted.
    """
    if given:
        server.ask(url, "GET", server.HEALTH, authority=given)
        return given
    kept = _file(url)
    for tried in (str(kept) if kept.exists() else None, variables.authority(), None):
        try:
            server.ask(url, "GET", server.HEALTH, authority=tried)
            return tried
        except server.UntrustedError as error:
            reason = error
    offered = server.offered_authority(url)
    if offered is None:
        raise reason
    if not _is_agreed(url, fingerprint(offered), known, agree, is_other=kept.exists()):
        raise UserError(f"{url}: is not trusted, and nothing was kept", 2)
    return _kept(url, offered)


def fingerprint(certificate: str) -> str:
    """SHA-256 of a certificate in PEM, as openssl prints it. Pure."""
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.strip())).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def _is_agreed(
    url: str, shown: str, known: str | None, agree: Callable[[str], bool], *, is_other: bool
) -> bool:
    if known:
        if _plain(known) != _plain(shown):
            raise UserError(
                f"{url}: its certificate authority has the fingerprint {shown}, and not the one "
                "that was given: another stack's, or somebody may be in between",
                2,
            )
        return True
    before = "another certificate authority" if is_other else "a certificate authority of its own"
    return agree(
        f"{url} has {before}, which this machine does not know. Its SHA-256:\n\n  {shown}\n\n"
        "Is it the one that `make status` prints for whoever looks after the server?"
    )


def _plain(text: str) -> str:
    return text.replace(":", "").replace(" ", "").upper()


def _kept(url: str, certificate: str) -> str:
    """Keep it, if the server's certificate is of it; raises UserError if not."""
    file = _file(url)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = file.with_name(f".{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as out:
            out.write(certificate)
        server.ask(url, "GET", server.HEALTH, authority=str(beside))
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
    return str(file)


def _file(url: str) -> Path:
    name = urlsplit(url).netloc.replace(":", "_").replace("[", "").replace("]", "")
    return variables.logins_file().with_name("authorities") / f"{name}.pem"
