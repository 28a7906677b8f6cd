"""Secrets that a stack generates: passwords and tokens, and its own certificate authority.

They are kept encrypted in the stack's state and, where ``directory`` is given, in a folder on this
machine too (mode 0600), so that they outlive `pulumi destroy` with the data that they belong to.
"""

import contextlib
import secrets
import string
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from pulumi import Output, ResourceOptions
from pulumi.dynamic import CreateResult, Resource, UpdateResult

from infra.clouds.shared.dynamic import DynamicProvider, Props

_LENGTH = 43
_ALPHABET = string.ascii_letters + string.digits + "-_"
_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-_")
_AUTHORITY_DAYS = 3653
# Of a key that is rotated: the newest, and those that what is older lies under.
_KEPT_KEYS = 5


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; nobody but its owner can read it, at no moment."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.touch(mode=0o600)
    beside.write_text(text)
    beside.replace(path)


def random_password(length: int = _LENGTH) -> str:
    """URL-safe characters, one of each class that databases ask for; 43 of them are 256 bits.

    Begins with a letter, as no option does.
    """
    while True:
        text = "".join(secrets.choice(_ALPHABET) for _ in range(length))
        if text[0].isalpha() and all(set(text) & set(kind) for kind in _CLASSES):
            return text


def make_authority(name: str) -> tuple[str, str]:
    """A new certificate authority: certificate and private key, both in PEM.

    Of ``name``, the first 64 characters count (X.520's upper bound of a common name).
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = datetime.now(timezone.utc)
    usage = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    return public.decode().strip(), private.decode().strip()


class _GeneratedProvider(DynamicProvider):
    replaced_by = frozenset({"directory"})
    files: tuple[str, ...] = ()

    def make(self, props: Props) -> Props:
        """New values, by output."""
        raise NotImplementedError

    def paths(self, props: Props) -> dict[str, Path]:
        """Output -> file; empty where nothing is kept on this machine."""
        if not props.get("directory"):
            return {}
        folder = Path(props["directory"])
        return {output: folder / self.file(props, output) for output in sorted(self.computed)}

    def file(self, props: Props, output: str) -> str:
        return output

    def create(self, props: Props) -> CreateResult:
        return CreateResult(id_=secrets.token_hex(8), outs=props | self.apply(props))

    def update(self, _id: str, _olds: Props, _news: Props) -> Any:
        kept = {output: _olds.get(output) for output in self.computed}
        return super().update(_id, _olds, _news | kept)

    def _known(self, props: Props) -> Props:
        """The values that the state has; empty where it has not all of them."""
        known = {output: props.get(output) for output in self.computed}
        return known if all(known.values()) else {}

    def apply(self, props: Props) -> Props:
        paths = self.paths(props)
        if not paths:
            return self._known(props) or self.make(props)
        if not all(path.exists() for path in paths.values()):
            values = self._known(props) or self.make(props)
            for output, path in paths.items():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_private(path, str(values[output]))
        return {output: path.read_text().strip() for output, path in paths.items()}

    def remove(self, props: Props) -> None:
        if props.get("keep_data", True):
            return
        for path in self.paths(props).values():
            path.unlink(missing_ok=True)
            # Others in the folder may be going at this very moment.
            with contextlib.suppress(OSError):
                path.parent.rmdir()

    def drifted(self, props: Props) -> bool:
        return any(
            not path.exists() or path.read_text().strip() != props.get(output)
            for output, path in self.paths(props).items()
        )


class _SecretProvider(_GeneratedProvider):
    computed = frozenset({"value"})

    def file(self, props: Props, output: str) -> str:
        return str(props["file"])

    def make(self, props: Props) -> Props:
        return {"value": random_password(int(props.get("length") or _LENGTH))}

    def update(self, _id: str, _olds: Props, _news: Props) -> Any:
        if _news.get("rotation") == _olds.get("rotation"):
            return super().update(_id, _olds, _news)
        before = str(self.apply(_news | {"value": _olds.get("value")})["value"]).split()
        value = " ".join([*self.make(_news).values(), *before][:_KEPT_KEYS])
        for path in self.paths(_news).values():
            write_private(path, value)
        return UpdateResult(outs=_news | {"value": value})


class _AuthorityProvider(_GeneratedProvider):
    computed = frozenset({"certificate", "key"})

    def file(self, props: Props, output: str) -> str:
        return f"ca_{output}"

    def make(self, props: Props) -> Props:
        certificate, key = make_authority(str(props["common_name"]))
        return {"certificate": certificate, "key": key}


class GeneratedSecret(Resource, module="trackstack", name="GeneratedSecret"):
    """Output ``value``: a random password, secret. Inputs, all three or none: ``directory`` and
    ``file``, where it is kept on this machine, and ``keep_data``; ``length``, where 43 characters
    are too many; ``rotation``, a number whose change puts a new one before it, with a space.
    """

    value: Output[str]

    def __init__(
        self, name: str, props: dict[str, Any] | None = None, opts: ResourceOptions | None = None
    ):
        secret = ResourceOptions(additional_secret_outputs=["value"])
        given = {"directory": None, "file": name, "keep_data": True, **(props or {})}
        super().__init__(
            _SecretProvider(), name, {**given, "value": None}, ResourceOptions.merge(opts, secret)
        )


class CertificateAuthority(Resource, module="trackstack", name="CertificateAuthority"):
    """The stack's own certificate authority. Outputs ``certificate`` and, secret, ``key``, in PEM.
    Inputs: ``common_name``, and ``directory`` and ``keep_data`` as for GeneratedSecret.
    """

    certificate: Output[str]
    key: Output[str]

    def __init__(self, name: str, props: dict[str, Any], opts: ResourceOptions | None = None):
        secret = ResourceOptions(additional_secret_outputs=["key"])
        given = {"directory": None, "keep_data": True, **props}
        super().__init__(
            _AuthorityProvider(),
            name,
            {**given, "certificate": None, "key": None},
            ResourceOptions.merge(opts, secret),
        )
