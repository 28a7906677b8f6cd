"""A server with a certificate of the stack file's is trusted by it, by every command alike."""

from pathlib import Path

from infra.operations.stack.served import client_of
from infra.operations.status import problems_of
from runtime.doctor.reached import server
from tests.runtime.doctor.answering import answering


def test_the_certificate_that_was_deployed_is_trusted(tmp_path: Path) -> None:
    with answering(tmp_path) as (port, certificate):
        outputs = {"tracking_uri": f"https://127.0.0.1:{port}", "tracking_token": "t"}
        [problem, *_] = problems_of(outputs)
        assert "its certificate is not trusted here" in problem
        with client_of({**outputs, "server_certificate": certificate.read_text()}) as client:
            assert server(client).well
