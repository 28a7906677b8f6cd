"""What of an old store's folders leads elsewhere: by a link, or by a location that climbs."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from runtime.errors import UserError
from runtime.move_in import links, relocation, source
from runtime.move_in.command import command


def test_a_link_out_of_what_moves_in_stops_it_unless_it_is_named(tmp_path: Path) -> None:
    place, other, secret = (tmp_path / name for name in ("place", "other", "secret"))
    for folder in (place / "1", other, secret):
        folder.mkdir(parents=True)
    (secret / "key").write_text("s")
    (place / "1" / "inner").symlink_to(place)
    (place / "1" / "disk").symlink_to(other)
    links.check([place], [other])
    with pytest.raises(UserError, match=r"1 symbolic links .*--linked"):
        links.check([place], [])
    # Also behind a link that is named.
    (other / "model").symlink_to(secret / "key")
    with pytest.raises(UserError, match=rf"{other}/model -> {secret}/key"):
        links.check([place], [other])
    uri = f"sqlite:///{tmp_path}/none.db"
    (tmp_path / "none.db").touch()
    result = CliRunner().invoke(
        command, ["--from", uri, "--artifacts", str(place), "--to", str(tmp_path / "to")]
    )
    assert "lead out of what moves in" in str(result.exception)


def test_a_location_that_climbs_becomes_none_of_the_stack_s(tmp_path: Path) -> None:
    engine = source.engine_of(tmp_path / "x.sqlite")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE runs (artifact_uri TEXT)")
        for text in ("/srv/a/1", "/srv/a/../b", "/srv/a/1/..", "/srv/a/1..2/x"):
            connection.exec_driver_sql("INSERT INTO runs VALUES (?)", (text,))
    assert relocation.relocate(engine, {"/srv/a": relocation.OWN}) == {"runs.artifact_uri": 2}
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT artifact_uri FROM runs").scalars().all()
    assert found == [
        "mlflow-artifacts:/1",
        "/srv/a/../b",
        "/srv/a/1/..",
        "mlflow-artifacts:/1..2/x",
    ]
