"""What the docker command of this machine is asked, and how its answers are read."""

import pytest

from infra.clouds.shared.this_machine import docker_command
from infra.rehearsal.system import daemon


@pytest.mark.parametrize(
    ("ports", "address", "is_held"),
    [
        ("127.0.0.1:5000->443/tcp", "127.0.0.1", True),
        ("127.0.0.2:5000->443/tcp", "127.0.0.1", False),
        ("0.0.0.0:5000->443/tcp, [::]:5000->443/tcp", "127.0.0.1", True),
        ("127.0.0.2:5000->443/tcp", "0.0.0.0", True),
        ("8080/tcp", "127.0.0.1", False),
        ("8080/tcp, 127.0.0.1:5000-5001->443-444/tcp", "127.0.0.1", True),
        ("127.0.0.1:4999-5001->442-444/tcp", "127.0.0.1", True),
        # What else a container publishes there holds another port.
        ("127.0.0.1:9000->80/tcp, 127.0.0.2:5000->443/tcp", "127.0.0.1", False),
        ("127.0.0.1:5000->443/udp", "127.0.0.1", False),
    ],
)
def test_a_port_is_held_at_its_address_alone(ports: str, address: str, is_held: bool) -> None:
    assert docker_command.publishes(ports, 5000, address) == is_held


@pytest.mark.slow
def test_a_volume_that_the_daemon_lacks_is_not_there() -> None:
    daemon.ensure_daemon()
    assert not docker_command.has_volume("trackstack-no-such-volume")
