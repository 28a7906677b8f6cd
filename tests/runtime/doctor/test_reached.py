"""Why a server is not reached, by real sockets; and what the clock and a certificate say."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from infra.rehearsal.host.connect_proxy import connect_proxy
from runtime.doctor.reached import certificate, clock, clocks, lasting, reach, server
from runtime.settings import RuntimeSettings, load
from tests.runtime.doctor.answering import NAME, answering

_NOW = datetime(2026, 11, 26, 6, 47, tzinfo=timezone.utc)


def _given(uri: str, **more: str) -> RuntimeSettings:
    return load({"MLFLOW_TRACKING_URI": uri, **more})


def test_a_server_that_answers_is_well_with_its_clock() -> None:
    with answering() as (port, _):
        settings = _given(f"http://127.0.0.1:{port}")
        assert server(settings).well
        assert clock(reach(settings)).found == "as the server's"
        assert certificate(reach(settings)).found == "none: plain HTTP"


def test_each_cause_is_told_with_its_own_cure(tmp_path: Path) -> None:
    with answering() as (plain, _), answering(tmp_path) as (tls, path):
        for settings, found, advice in (
            (_given("http://127.0.0.1:9"), "nothing listens", "make up"),
            (_given("http://no-such-host.invalid"), "is not known here", "DNS"),
            (_given(f"https://127.0.0.1:{plain}"), "no TLS is spoken", "to http://"),
            (_given(f"http://127.0.0.1:{tls}"), "TLS is spoken", "to https://"),
            (
                _given(f"https://127.0.0.1:{tls}"),
                "not trusted here",
                "set MLFLOW_TRACKING_SERVER_CERT_PATH",
            ),
            (
                _given(f"https://localhost:{tls}", MLFLOW_TRACKING_SERVER_CERT_PATH=str(path)),
                "is not for localhost",
                "the name that it is for",
            ),
        ):
            finding = server(settings)
            assert not finding.well
            assert found in finding.found, finding
            assert advice in finding.advice, finding
        trusted = _given(f"https://127.0.0.1:{tls}", MLFLOW_TRACKING_SERVER_CERT_PATH=str(path))
        assert server(trusted).well
        assert certificate(reach(trusted)).found.startswith("ends 20")


def test_what_a_proxy_alone_knows_is_reached_through_it_as_clients_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str) -> str | None:
        return "127.0.0.1" if host == NAME else None

    with answering(tmp_path) as (tls, path), connect_proxy(resolve) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        there = {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(path)}
        assert server(_given(f"https://{NAME}:{tls}", **there)).well
        assert certificate(reach(_given(f"https://{NAME}:{tls}", **there))).well
        assert server(_given(f"https://127.0.0.1:{tls}", **there)).well
        refused = server(_given(f"https://other.example:{tls}", **there))
        assert "502 there is no such name" in refused.found


def test_a_proxy_that_is_asked_for_this_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with connect_proxy(lambda _host: None) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        finding = server(_given("https://localhost:5443"))
        assert "a proxy of the environment is asked for it" in finding.found
        assert finding.advice == "export NO_PROXY=localhost,127.0.0.1"
        monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
        assert "nothing listens there" in server(_given("https://localhost:9")).found


@pytest.mark.parametrize(("seconds", "well"), [(0, True), (29, True), (-29, True), (45, False)])
def test_clocks_may_differ_by_half_a_minute(seconds: int, well: bool) -> None:
    told = (_NOW + timedelta(seconds=seconds)).replace(microsecond=0)
    assert clocks(_NOW, told, _NOW).well == well
    assert clocks(_NOW - timedelta(days=1), _NOW, _NOW).well, "the answer took long"


def test_a_certificate_is_told_two_weeks_before_its_end() -> None:
    assert lasting(_NOW + timedelta(days=15), _NOW).well
    late = lasting(_NOW + timedelta(days=3), _NOW)
    assert (late.well, "in 3 days" in late.found) == (False, True)
