"""How the store grows, on a real one; and the chart of it."""

from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import create_engine, text

from runtime.access.status import chart
from runtime.jobs.growth import Day, Growth

_TODAY = date(2026, 11, 26)


def test_a_day_is_counted_once_and_a_year_and_a_month_is_kept(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/store.sqlite")
    growth = Growth(engine)
    assert growth.list() == []
    growth.note(_TODAY)
    assert growth.list() == [], "there is no store yet"
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE runs (run_uuid TEXT)"))
        connection.execute(text("INSERT INTO runs VALUES ('a'), ('b')"))
    growth.note(_TODAY)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO runs VALUES ('c')"))
    growth.note(_TODAY)
    [day] = growth.list()
    assert (day.day, day.runs, day.bytes % 4096) == (_TODAY, 2, 0)
    assert day.bytes > 0
    growth.note(_TODAY + timedelta(days=1))
    assert [each.runs for each in growth.list()] == [2, 3]
    growth.note(_TODAY + timedelta(days=401))
    assert [each.day for each in growth.list()] == [
        _TODAY + timedelta(days=1),
        _TODAY + timedelta(days=401),
    ]


def test_the_chart_is_by_the_calendar_and_says_itself_in_words() -> None:
    mib = 1 << 20
    days = [
        Day(_TODAY - timedelta(days=10), 0, 2 * mib),
        Day(_TODAY - timedelta(days=5), 50, 3 * mib),
        Day(_TODAY, 100, 4 * mib),
    ]
    shown = chart.part(days)
    said = "100 runs, a database of 4.0 MiB on 2026-11-26; +100 runs and +2.0 MiB since 2026-11-16"
    assert f'aria-label="{said}"' in shown
    assert 'points="0.0,116.0 300.0,60.0 600.0,4.0"' in shown, "the runs"
    assert 'points="0.0,60.0 300.0,32.0 600.0,4.0"' in shown, "the database"
    assert chart.part([]) == ""
    assert "<svg" not in chart.part(days[:1])
    assert "2.0 MiB" in chart.part(days[:1])
