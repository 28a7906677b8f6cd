"""Which locations lie below an old server's place, and what is outside of it."""

import pytest

from runtime.move_in import relocation


@pytest.mark.parametrize(
    ("place", "text", "is_below"),
    [
        ("oci://b@n/p/", "oci://b@n/p/1/x", True),
        ("oci://b@n/p", "oci://b@n/pq/1", False),
        ("/srv/mlruns", "file:///srv/mlruns/1", True),
        ("/srv/mlruns", "./mlruns/1", True),
        ("/srv/mlruns", "/srv/MLRUNS/1", False),
        ("/srv/my runs", "file:///srv/my%20runs/1", True),
    ],
)
def test_a_location_is_below_a_place_by_its_exact_text(
    place: str, text: str, is_below: bool
) -> None:
    found = [t for t in relocation.beginnings(place) if text.startswith(f"{t}/")]
    assert bool(found) == is_below


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("s3://bucket/a/b/c", "s3://bucket"),
        ("file:///home/joe/mlruns/1/x", "file:///home/joe/mlruns"),
        ("/home/joe/mlruns/1/x", "/home/joe/mlruns"),
        ("mlruns/1/x", "mlruns/1"),
        ("mlflow-artifacts://host:5000/1/x", "mlflow-artifacts://host:5000"),
    ],
)
def test_what_is_outside_is_gathered_by_its_store(location: str, place: str) -> None:
    assert relocation.place_of(location) == place
