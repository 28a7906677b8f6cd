from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.duration import parse_age, parse_days


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("30d0h0m0s", timedelta(days=30)),
        ("0d0h10m0s", timedelta(minutes=10)),
        ("8h", timedelta(hours=8)),
        ("2d8h5m20s", timedelta(days=2, hours=8, minutes=5, seconds=20)),
        ("1.5d", timedelta(hours=36)),
        ("0s", timedelta(0)),
    ],
)
def test_an_age_is_read_as_mlflow_gc_reads_it(text: str, age: timedelta) -> None:
    assert parse_age(text) == age


@pytest.mark.parametrize(
    "text", ["", "30", "30 d", "d", "1h2d", "-1d", "1.2.3d", "1e9d", "9" * 99 + "d"]
)
def test_what_is_no_age_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="is not an age: days, hours"):
        parse_age(text)


def test_days_are_whole_or_never() -> None:
    assert [parse_days(given) for given in (1, "30", "36500", "never", None)] == [
        *(1, 30, 36500),
        *(None, None),
    ]
    for text in ("", "0", "-1", "1.5", "36501", "9" * 5000, "²", "٣", "off", True):
        with pytest.raises(ValueError, match="whole days from 1 to 36500, or never"):
            parse_days(text)


@given(st.integers(0, 9999), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_every_form_adds_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    expected = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    assert parse_age(f"{days}d{hours}h{minutes}m{seconds}s") == expected
