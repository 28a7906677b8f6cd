"""A container of the stand-in is kept, read and updated as the real provider does it.

Each test is one difference that there was, and that hid a fault of the program.
"""

import time
from typing import Any

import pytest

from infra.rehearsal.docker.container import Container
from infra.rehearsal.docker.network import Network
from infra.rehearsal.provider.errors import NotReadyError
from infra.rehearsal.system import daemon
from tests.rehearsal.docker.conftest import Make

pytestmark = pytest.mark.slow


def _changed(container: Container, made: dict[str, Any], **news: Any) -> dict[str, bool]:
    """What the same inputs differ in from the state -> whether that makes another container."""
    new = {**made["inputs"], **news}
    old = container.compared(made["inputs"], made["state"])
    names = {n for n in {*old, *new} if not container.same(n, old.get(n), new.get(n))}
    return {name: name in container.replacing(names, old, new) for name in names}


def test_values_are_read_back_in_the_provider_s_own_way(container: Container, make: Make) -> None:
    check = {"tests": ["CMD", "true"], "interval": "5s", "startPeriod": "60s", "retries": 3}
    _, made = make(cpus="2", memory=64, healthcheck=check)
    assert made["state"]["cpus"] == "2.0"
    assert made["state"]["healthcheck"]["startPeriod"] == "1m0s"
    assert made["state"]["memorySwap"] in (128, -1)
    assert _changed(container, made) == {"cpus": True, "healthcheck": False, "memorySwap": False}


def test_written_as_they_are_read_back_they_are_no_difference(
    container: Container, make: Make
) -> None:
    check = {"tests": ["CMD", "true"], "interval": "5s", "startPeriod": "1m0s", "retries": 3}
    rights = {"drops": ["ALL"], "adds": ["CAP_CHOWN"]}
    id, made = make(
        cpus="0.5", memory=64, memorySwap=-1, healthcheck=check, capabilities=rights, readOnly=True
    )
    assert _changed(container, made) == {}
    read = container.read(id, made["state"])
    assert read is not None
    assert _changed(container, {**made, "state": read}) == {}
    # Of lists that are empty, the first look makes some of none.
    assert (made["state"].get("dns"), read["dns"]) == (None, [])


def test_the_image_s_health_check_is_merged(
    container: Container, make: Make, checked_image: str
) -> None:
    _, made = make(image=checked_image, healthcheck={"tests": ["NONE"]})
    check = made["state"]["healthcheck"]
    assert (check["tests"], check["interval"], check["retries"]) == (["NONE"], "10s", 3)
    assert _changed(container, made) == {"healthcheck": False}


def test_a_larger_memory_without_swap_is_refused_and_kept_in_the_state(
    container: Container, make: Make
) -> None:
    id, made = make(memory=64)
    new = {**made["inputs"], "memory": 256}
    with pytest.raises(NotReadyError, match="already set memoryswap limit") as refused:
        container.update(id, new, made["state"])
    assert refused.value.props["memory"] == 256


def test_a_larger_memory_is_set_in_place_where_swap_has_no_limit(
    container: Container, make: Make
) -> None:
    id, made = make(memory=64, memorySwap=-1)
    container.update(id, {**made["inputs"], "memory": 256}, made["state"])
    assert container.daemon.inspect_container(id)["HostConfig"]["Memory"] == 256 * 1024 * 1024


def test_one_that_was_stopped_is_kept_and_started_without_a_wait(
    container: Container, make: Make
) -> None:
    check = {"tests": ["CMD", "true"], "interval": "1s"}
    id, made = make(healthcheck=check, wait=True, ports=[{"internal": 80}])
    daemon.docker("kill", made["inputs"]["name"])
    read = container.read(id, made["state"])
    assert read is not None
    assert (read["mustRun"], read["ports"], read["exitCode"]) == (False, [], 137)
    # The port is gone with the process: that is another container.
    assert _changed(container, {**made, "state": read}) == {"mustRun": False, "ports": True}
    began = time.monotonic()
    updated = container.update(id, made["inputs"], read)
    assert _changed(container, {**made, "state": updated}) == {}
    state = container.daemon.inspect_container(id)["State"]
    assert (state["Running"], state["Health"]["Status"]) == (True, "starting")
    assert time.monotonic() - began < 2


def test_a_wait_takes_all_of_its_time_and_gives_no_reason(container: Container, make: Make) -> None:
    check = {"tests": ["CMD", "true"], "interval": "1s"}
    began = time.monotonic()
    with pytest.raises(NotReadyError) as failed:
        make(command=["sh", "-c", "echo why; exit 3"], healthcheck=check, wait=True, waitTimeout=3)
    assert time.monotonic() - began >= 3
    assert str(failed.value) == "container failed to be in healthy state"
    # Another one is made in the next update, unless a look has taken it for well.
    made = {"inputs": dict(failed.value.props), "state": failed.value.props}
    made["inputs"].pop("__tainted")
    assert _changed(container, made)["name"]
    read = container.read(failed.value.id, failed.value.props)
    assert read is not None
    assert "name" not in _changed(container, {**made, "state": read})


def test_one_that_ends_at_once_is_made_all_the_same(container: Container, make: Make) -> None:
    id, _ = make(command=["false"])
    assert container.daemon.wait(id)["StatusCode"] == 1


@pytest.mark.parametrize("name", ["memoryReservation", "cpuPeriod", "cpuQuota"])
def test_some_limits_make_no_other_container(container: Container, make: Make, name: str) -> None:
    _, made = make()
    assert _changed(container, made, **{name: 50}) == {name: False}


def test_it_is_made_on_the_daemon_s_own_network_and_moved(
    make: Make, container: Container, network: Network
) -> None:
    name = "trackstack-test-network"
    began = time.monotonic()
    net, _ = network.create({"name": name})
    try:
        # It looks for the network after two seconds.
        assert time.monotonic() - began >= 2
        id, made = make(networksAdvanced=[{"name": name, "aliases": ["web"]}])
        assert made["state"]["networkMode"] == "bridge"
        networks = container.daemon.inspect_container(id)["NetworkSettings"]["Networks"]
        assert list(networks) == [name]
        assert "web" in networks[name]["Aliases"]
        container.delete(id, made["state"])
    finally:
        network.delete(net, {})
