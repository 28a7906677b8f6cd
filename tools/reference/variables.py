"""The page of the runtime's environment variables."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.alias_generators import to_camel

from infra.settings import MODELS
from infra.settings.secrets import SECRETS
from runtime.settings import RuntimeSettings
from runtime.settings.meanings import MEANINGS
from tools.reference.text import GENERATED, code, table

_HEAD = f"""\
# Environment variables

{GENERATED} The server, the jobs and the command `trackstack` read these. A stack sets them from its
keys; by hand they are set in a container or a shell. An empty variable counts as unset. A list has
commas between its words, or is JSON. A secret may be given as `NAME_FILE`, the path of a file that
holds it.

Variables of MLflow itself that are not here work as MLflow documents them; the key `environment`
sets them in a stack.

"""


def meanings() -> dict[str, str]:
    """Variable -> what it means: its own words, else those of the key that sets it."""
    fields = [(field.alias, field.description) for m in MODELS for field in m.model_fields.values()]
    keys = {**SECRETS, **{str(key): text or "" for key, text in reversed(fields)}}
    return {
        str(field.alias): MEANINGS.get(name) or keys.get(_key(name), "")
        for name, field in RuntimeSettings.model_fields.items()
    }


def page() -> str:
    """The page, in Markdown."""
    return _HEAD + table(["variable", "meaning", "key", "default"], _rows())


def _key(field: str) -> str:
    return to_camel(field.removeprefix("given_"))


def _rows() -> Iterator[tuple[str, str, str, str]]:
    known = {str(f.alias) for model in MODELS for f in model.model_fields.values()} | set(SECRETS)
    said = meanings()
    for name, field in RuntimeSettings.model_fields.items():
        key = _key(name)
        shown = key if key in known else ""
        yield code(field.alias), said[str(field.alias)], code(shown), _default(field)


def _default(field: Any) -> str:
    if SecretStr in get_args(field.annotation):
        return "secret"
    if field.default_factory is not None:
        return "one for each CPU"
    text = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return code(text)
