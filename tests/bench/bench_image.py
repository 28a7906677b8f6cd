"""The runtime image beside what people install today: `python -m tests.bench.bench_image`.

Builds, on one base and with one MLflow, plain `pip install mlflow` and what the published OCI
and Azure images install, then in turns starts each with a fresh SQLite store until /health
answers. Prints size and the median time, and ours as a share of the best of the others.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from infra.rehearsal.system.daemon import build, docker
from tests.runtime_image import runtime_image

_MLFLOW = f"mlflow=={metadata.version('mlflow')}"
# image -> what its Dockerfile installs
OTHERS = {
    "plain": [_MLFLOW],
    "published OCI": [_MLFLOW, "oracle-ads", "oci-mlflow", "gunicorn", "mysql-connector-python"],
    "published Azure": [_MLFLOW, "psycopg2-binary", "azure-storage-blob", "azure-identity"],
}
_DOCKERFILE = """
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ARG EXTRA_CA
ARG PACKAGES
RUN printf '%s\\n' "$EXTRA_CA" >>/etc/ssl/certs/ca-certificates.crt
RUN python3 -m venv /opt/mlflow && \\
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt /opt/mlflow/bin/pip install \\
        --quiet --no-cache-dir --disable-pip-version-check $PACKAGES
ENV PATH=/opt/mlflow/bin:$PATH
CMD ["mlflow", "server", "--host", "0.0.0.0", "--workers", "2", \\
     "--backend-store-uri", "sqlite:////tmp/mlflow.sqlite", \\
     "--artifacts-destination", "/tmp/artifacts"]
"""
_LONGEST_SECONDS = 180


@dataclass(frozen=True)
class Figure:
    """One image, measured."""

    image: str
    megabytes: float
    seconds_to_healthy: float


def _build_others() -> dict[str, str]:
    tags: dict[str, str] = {}
    for name, packages in OTHERS.items():
        print(f"bench: building {name}: {' '.join(packages)}", file=sys.stderr)
        tags[name] = f"trackstack/bench:{name.replace(' ', '-').lower()}"
        with tempfile.TemporaryDirectory() as context:
            dockerfile = Path(context) / "Dockerfile"
            dockerfile.write_text(_DOCKERFILE)
            build(
                tags[name],
                {"PACKAGES": " ".join(packages)},
                dockerfile=dockerfile,
                context=Path(context),
            )
    return tags


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def seconds_to_healthy(image: str) -> float:
    """From `docker run` to the first 200 of /health."""
    began = time.monotonic()
    container = docker(
        "run",
        "--detach",
        "--rm",
        "--publish",
        "127.0.0.1::5000",
        "--env",
        "MLFLOW_WORKERS=2",
        image,
    )
    try:
        address = docker("port", container, "5000").splitlines()[0]
        while not _answers(f"http://{address}/health"):
            if time.monotonic() - began > _LONGEST_SECONDS:
                raise TimeoutError(f"{image} is not healthy after {_LONGEST_SECONDS} s")
            time.sleep(0.05)
        return time.monotonic() - began
    finally:
        subprocess.run(["docker", "kill", container], capture_output=True, check=False)


def measure(rounds: int) -> list[Figure]:
    """Sizes and median times, the images taking turns; ours is the first."""
    tags = {"trackstack": runtime_image(), **_build_others()}
    times: dict[str, list[float]] = {name: [] for name in tags}
    for turn in range(rounds):
        for name, tag in tags.items():
            times[name].append(seconds_to_healthy(tag))
            print(f"bench: round {turn + 1}: {name} {times[name][-1]:.1f} s", file=sys.stderr)
    return [
        Figure(
            name,
            int(docker("image", "inspect", "--format", "{{.Size}}", tag)) / 1e6,
            statistics.median(times[name]),
        )
        for name, tag in tags.items()
    ]


def main() -> None:
    """Print the figures; exits 1 where ours is over 60 % of the smallest, or the slower one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="starts of each image")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    ours, *others = figures = measure(options.rounds)
    size = ours.megabytes / min(other.megabytes for other in others)
    start = ours.seconds_to_healthy / min(other.seconds_to_healthy for other in others)
    if options.json:
        shown = {"images": [asdict(figure) for figure in figures], "size": size, "start": start}
        print(json.dumps(shown, indent=2))
    else:
        for figure in figures:
            print(
                f"{figure.image:16} {figure.megabytes:6.0f} MB "
                f"{figure.seconds_to_healthy:6.1f} s to healthy"
            )
        print(f"ours / the best of the others: size {size:.2f}, start to healthy {start:.2f}")
    sys.exit(size > 0.6 or start > 1)


if __name__ == "__main__":
    main()
