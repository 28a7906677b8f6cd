"""Whether a port is another's."""

import socket

from infra.clouds.shared.this_machine.ports import is_free


def test_a_port_that_somebody_has_is_not_free() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert not is_free(port)
        assert not is_free(port, by_daemon=True)


def test_an_address_of_the_daemon_s_own_machine_is_nobody_s_here() -> None:
    # For documentation alone: this machine has it not.
    assert is_free(5443, "192.0.2.10", by_daemon=True)
    assert not is_free(5443, "192.0.2.10")
