"""What the program says of a container is what the provider reads back from the daemon."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.clouds.docker import texts
from tests.infra.recording import deploy_here

_STACK = {"cloud": "local", "compute": "container", "port": 1}


@pytest.mark.parametrize(
    ("count", "text"),
    # As `docker inspect` and the provider of version 5.2.0 gave them, and what it mistakes.
    [(2, "2.0"), (0.5, "0.5"), (1.5, "1.5"), (1.25, "1.25"), (10, "10."), (100.25, "100.251")],
)
def test_cpus_are_written_as_they_are_read_back(count: float, text: str) -> None:
    assert texts.cpus(count) == text


@given(st.integers(50, 25600))
def test_any_number_of_cpus_comes_back_as_it_was_written(hundredths: int) -> None:
    text = texts.cpus(hundredths / 100)
    nanos = f"{float(text):.9f}"
    back = f"{float(text):.1f}" if nanos.count("0") == 9 else nanos.rstrip("0")
    assert back == text
    assert 0 <= float(text) - hundredths / 100 < 0.01


@pytest.mark.parametrize(("seconds", "text"), [(5, "5s"), (60, "1m0s"), (150, "2m30s")])
def test_durations_are_written_as_go_writes_them(seconds: int, text: str) -> None:
    assert texts.duration(seconds) == text


def _containers(**keys: Any) -> list[dict[str, Any]]:
    return [
        one
        for one in deploy_here({**_STACK, **keys})[1].opened("Container")
        if one.get("start", True)
    ]


@pytest.mark.parametrize("memory", [2, 4, 16])
def test_each_limit_of_memory_comes_with_one_of_swap(memory: int) -> None:
    """Without one Docker keeps the last one, which a larger memory must not exceed."""
    limited = [one for one in _containers(memory=memory) if one.get("memory")]
    assert len(limited) == 3
    assert {one["memorySwap"] for one in limited} == {-1}


def test_no_health_check_has_what_the_daemon_would_put_in() -> None:
    """It takes what is missing from the image; then the next update finds a difference."""
    for one in _containers():
        check = one["healthcheck"]
        for key in ("interval", "timeout", "startPeriod", "retries"):
            assert check.get(key), (one["name"], key)
        for key in ("interval", "timeout", "startPeriod"):
            assert check[key] == texts.duration(_seconds(check[key])), (one["name"], key)


def _seconds(duration: str) -> int:
    minutes, sign, rest = duration.rpartition("m")
    return int(minutes or 0) * 60 * bool(sign) + int(rest.removesuffix("s"))


def test_the_server_knows_which_image_it_runs() -> None:
    [server] = [one for one in _containers() if one["name"].endswith("-server")]
    assert f"TRACKSTACK_IMAGE=sha256:{'0' * 64}" in server["envs"]
