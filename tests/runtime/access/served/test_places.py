"""What a server process opens: for requests what its stack knows, for the stack its own trees."""

from pathlib import Path
from typing import Any, cast

import pytest
from mlflow.exceptions import MlflowException
from mlflow.store.artifact import artifact_repository_registry as registry

from runtime.access.rules.locations import Allowed
from runtime.access.served import places
from runtime.artifacts.tree import Tree, opens


def test_a_place_of_backups_is_the_stack_s_to_open_and_no_request_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = cast(Any, registry)
    # The method is put back when the test ends.
    made_by, method = library.ArtifactRepositoryRegistry, "get_artifact_repository"
    monkeypatch.setattr(made_by, method, getattr(made_by, method))
    own, backups = tmp_path / "artifacts", tmp_path / "backups"
    for folder in (own, backups):
        folder.mkdir()
    places.install(Allowed(str(own), None, ()))
    library.get_artifact_repository(str(own))
    with pytest.raises(MlflowException, match="backups"):
        library.get_artifact_repository(str(backups))
    file = tmp_path / "file"
    file.write_text("x")
    tree = Tree(str(backups))
    tree._store()  # pyright: ignore[reportPrivateUsage]
    assert not opens()
    with pytest.raises(MlflowException, match="backups"):
        library.get_artifact_repository(str(backups))
