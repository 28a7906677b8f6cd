"""A published line, and its proof."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["same", "better", "other"]


@dataclass(frozen=True)
class Line:
    """A published ``line``, ``ours`` in Markdown, and what it is like.

    The proof: ``variables`` are taken, with ``told`` in what the server says of them at its start
    or ``refused`` in the refusal; ``keys``, ``commands`` (published -> ours) and ``targets`` of
    make are there; ``test`` (path::name) shows it.
    """

    line: str
    ours: str
    verdict: Verdict
    said: str = ""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    told: str = ""
    refused: str = ""
    keys: tuple[str, ...] = ()
    commands: Mapping[str, str] = field(default_factory=dict[str, str])
    targets: tuple[str, ...] = ()
    test: str = ""


IMAGE_TESTS = "tests/runtime/server/image"
RUN = f"{IMAGE_TESTS}/test_docker_run.py"
START = "tests/runtime/server/test_first_start.py"
IMAGE = {"TRACKSTACK_BEHIND_PROXY": "true", "MLFLOW_HOST": "0.0.0.0"}  # noqa: S104 - as printed
