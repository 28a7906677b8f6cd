"""Every listed case is refused, with the error that its cloud gives."""

from pathlib import Path

import pytest

from infra.rehearsal.provider.errors import CloudError
from tests.rehearsal.cases import (
    Case,
    on_azure,
    on_azure_data,
    on_azure_machines,
    on_docker,
    on_oci,
    on_oci_parts,
)

pytestmark = pytest.mark.slow  # importing the SDKs' metadata takes seconds

_CLOUDS = {
    "azure": on_azure,
    "azure, data": on_azure_data,
    "azure, machines": on_azure_machines,
    "docker": on_docker,
    "oci": on_oci,
    "oci, parts": on_oci_parts,
}


@pytest.mark.parametrize(
    ("cloud", "case"),
    [
        pytest.param(cloud, case, id=f"{cloud}: {case.title}")
        for cloud, module in _CLOUDS.items()
        for case in module.CASES
    ],
)
def test_a_case_is_refused_in_the_clouds_own_words(cloud: str, case: Case, tmp_path: Path) -> None:
    world = _CLOUDS[cloud].world(tmp_path)
    before = len(world.cloud.store.all())
    inputs = case.inputs(world)
    with pytest.raises(CloudError) as refused:
        world.make(case.kind, "mistake", inputs)
    assert case.error in str(refused.value)
    assert case.source.startswith("https://")
    assert len(world.cloud.store.all()) == before
