"""The client part as a wheel, which a server offers to whoever asks: nothing in it is secret.

Made of the files that run here, so that a laptop has the command of the very server that it signs
in to. It needs what `pip install trackstack` needs without an extra.
"""

import base64
import hashlib
import io
import zipfile
from functools import cache
from html import escape
from importlib.metadata import distribution
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

import runtime
from runtime.access import pages
from runtime.access.exchange import exchange_of
from runtime.access.responses import answer, answer_error, answer_page

PATH = pages.CLIENT
# Below runtime/: what the command of a laptop imports.
_PARTS = ("__init__.py", "cli.py", "errors.py", "health.py", "client/*.py")
# Of each file in the archive, so that every replica's has the same bytes.
_MADE = (1980, 1, 1, 0, 0, 0)
_WHEEL = "Wheel-Version: 1.0\nGenerator: trackstack\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def offer(prefix: str, public_url: str) -> ASGIApp:
    """A page that says how it is installed, and the wheel below it."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        path = exchange_of(scope).path
        if path.rstrip("/") == PATH:
            line = f"<pre>{escape(pages.install(public_url))}</pre>\n"
            back = f'<p><a href="{escape(prefix)}/">MLflow</a></p>\n'
            await answer_page(send, 200, pages.page("The command trackstack", line + back))
        elif path == f"{PATH}/{pages.wheel_name()}":
            await answer(send, 200, [(b"content-type", b"application/zip")], wheel())
        else:
            await answer_error(send, 404, "RESOURCE_DOES_NOT_EXIST", "nothing is here")

    return app


@cache
def wheel() -> bytes:
    """The archive: https://packaging.python.org/specifications/binary-distribution-format/"""
    made = distribution("trackstack")
    info = f"trackstack-{made.version}.dist-info"
    files = _sources() | {
        f"{info}/METADATA": _metadata().encode(),
        f"{info}/WHEEL": _WHEEL.encode(),
        f"{info}/entry_points.txt": _entry_points().encode(),
    }
    record = "".join(f"{name},sha256={_digest(files[name])},{len(files[name])}\n" for name in files)
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _MADE), content, zipfile.ZIP_DEFLATED)
    return whole.getvalue()


def _sources() -> dict[str, bytes]:
    root = Path(runtime.__file__).parent
    found = sorted(path for part in _PARTS for path in root.glob(part))
    return {f"runtime/{path.relative_to(root).as_posix()}": path.read_bytes() for path in found}


def _metadata() -> str:
    made = distribution("trackstack")
    needs = [need for need in made.requires or () if "extra ==" not in need]
    lines = ["Metadata-Version: 2.1", "Name: trackstack", f"Version: {made.version}"]
    lines += [f"Requires-Python: {made.metadata['Requires-Python']}"]
    return "\n".join([*lines, *(f"Requires-Dist: {need}" for need in needs)]) + "\n"


def _entry_points() -> str:
    """The command, and MLflow's plug-in."""
    groups: dict[str, list[str]] = {}
    for entry in distribution("trackstack").entry_points:
        if entry.value.startswith(("runtime.cli:", "runtime.client.")):
            groups.setdefault(entry.group, []).append(f"{entry.name} = {entry.value}")
    return "\n".join(f"[{group}]\n" + "\n".join(lines) + "\n" for group, lines in groups.items())


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
