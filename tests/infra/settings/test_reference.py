"""The page of keys and stacks/schema.json say what the models of stack files say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from infra.place import ROOT
from infra.settings import CLOUDS, MODELS, PROJECT, SECRET_KEYS, reference
from infra.settings.common import Common
from infra.settings.secrets import SECRETS
from tests.infra.stack_files import CONFIGS, named, read

_STACKS = ROOT / "stacks"
_KINDS = {"Local", "LocalContainer", "Azure", "Oci"}


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    found = json.loads(reference.schema())
    Draft202012Validator.check_schema(found)
    return Draft202012Validator(found)


@pytest.mark.parametrize("model", [Common, *MODELS])
def test_every_key_says_what_it_means(model: type[Common]) -> None:
    silent = [f.alias for f in model.model_fields.values() if not (f.description or "").strip()]
    assert silent == []


def test_every_secret_key_says_what_it_means() -> None:
    assert SECRETS.keys() == SECRET_KEYS


def test_the_page_has_a_row_for_each_key_of_each_kind_of_stack() -> None:
    """By the models themselves, and not by what the page is made of."""
    first, *sections = re.split(r"(?m)^## .*\n", reference.page())[1:]
    assert {model.__name__ for model in MODELS} == _KINDS
    for model, section in zip(MODELS, sections, strict=True):
        rows = dict(re.findall(r"(?m)^\| `(\w+)` \| (.*) \|$", first + section))
        aliases = {str(field.alias) for field in model.model_fields.values()}
        assert rows.keys() == aliases | model.secret_keys, model
        for field in model.model_fields.values():
            row = rows[str(field.alias)]
            assert str(field.description) in row
            default = field.get_default(call_default_factory=True)
            shown_at_all = isinstance(default, str | int | float) and default != ""
            if shown_at_all and not field.is_required():
                shown = str(default).lower() if isinstance(default, bool) else str(default)
                assert row.endswith(f"| `{shown}`"), row


def test_what_the_engine_fills_in_is_a_key_of_every_kind_of_stack_with_its_default() -> None:
    """What stands in Pulumi.yaml every stack has, and a key without a default it must be given."""
    project = yaml.safe_load(reference.project())
    assert project["name"] == PROJECT
    assert project["config"].keys() == {"cloud"}
    for key, entry in project["config"].items():
        assert all(key in {f.alias for f in model.model_fields.values()} for model in MODELS)
        assert entry["default"] == next(iter(CLOUDS))
        assert all(cloud in entry["description"] for cloud in CLOUDS)


@pytest.mark.parametrize(
    "path",
    [*named("*.happy.*.yaml"), *sorted((_STACKS / "examples").glob("*.yaml"))],
    ids=lambda path: path.name,
)
def test_the_schema_takes_good_stack_files_as_written_and_as_the_engine_writes_them(
    path: Path, schema: Draft202012Validator
) -> None:
    config = read(path)["config"]
    assert _problems(schema, config) == []
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in config.items()}
    assert _problems(schema, texts) == []
    own = {"azure-native:location": "westeurope", "encryptionsalt": "v1:..."}
    assert _problems(schema, config | own) == []


@pytest.mark.parametrize(
    "name",
    [
        *("local.error.unknown-key", "local.error.port-range", "local.error.port-text"),
        *("local.error.cloud-unknown", "local.error.backend-store-password"),
        *("local.error.entity-ttl-large", "local.error.prune-action", "docker.error.unknown-key"),
        *("azure.error.compute-unknown", "azure.error.cidrs-missing", "azure.error.local-key"),
        *("oci.error.region-of-azure", "oci.error.database-sku-of-azure", "oci.error.unknown-key"),
    ],
)
def test_the_schema_finds_in_an_editor_what_needs_no_engine(
    name: str, schema: Draft202012Validator
) -> None:
    assert _problems(schema, read(CONFIGS / f"{name}.yaml")["config"]) != []


def _problems(schema: Draft202012Validator, config: dict[str, Any]) -> list[str]:
    found: Any = schema.iter_errors({"config": config})  # pyright: ignore[reportUnknownMemberType]
    return [str(problem.message) for problem in found]
