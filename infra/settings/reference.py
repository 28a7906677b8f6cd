"""All keys of a stack file, for people (a page) and for editors (a JSON schema), from the models.

Committed as docs/reference/keys.md and stacks/schema.json, and Pulumi.yaml beside them;
`make reference` writes all three. Pure.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from infra.settings import CLOUDS, MODELS, PROJECT
from infra.settings.common import Common
from infra.settings.secrets import SECRETS

_HEAD = """\
# All keys of a stack file

`make reference` writes this page and `stacks/schema.json` from `infra/settings/`, where the words
of this page stand. Editors that know JSON schemas for YAML check a stack file while you write, and
propose its keys, where it begins with this line:

```yaml
# yaml-language-server: $schema=schema.json
```

A key is `trackstack:<key>` under `config:`. Secret keys stand in no plain text: `pulumi config set
--secret trackstack:<key>`. A wrong or unknown key is refused in one line before anything is made.
"""
# What Pulumi.yaml has as the default, which the engine fills in.
_DEFAULT_CLOUD = next(iter(CLOUDS))
_CLOUD = "Where the stack runs"
# The engine gives what stands under `config` to every stack, and asks every stack for a key
# without a default there: of our keys the cloud alone bears both. Settings refuse what is unknown.
_ENGINE_S = """\
# Written by `make reference` from infra/settings, where each key of a stack file stands with its
# limits and its default.
name: {project}
description: Your own MLflow tracking server. Every key is described in docs/reference/keys.md.
runtime: python
main: infra
stackConfigDir: stacks
config:
  cloud:
    type: string
    default: {default}
    description: "{cloud}: {clouds}."
"""


def page() -> str:
    """The page, in Markdown: what every stack takes, then what each kind of stack takes beside."""
    common = _properties(Common)
    parts = [_HEAD, f"## {Common.title}\n", _table(common, Common.secret_keys, required=())]
    for model in MODELS:
        own = {key: entry for key, entry in _properties(model).items() if key not in common}
        secrets = model.secret_keys - Common.secret_keys
        parts += [f"## {model.title}\n", f"{_chosen(model)}\n"]
        parts.append(_table(own, secrets, _required(model)))
    return "\n".join(parts)


def project() -> str:
    """Pulumi.yaml: what the engine knows of a stack file before the program reads it."""
    *others, last = CLOUDS
    clouds = f"{', '.join(others)} or {last}"
    return _ENGINE_S.format(project=PROJECT, default=_DEFAULT_CLOUD, cloud=_CLOUD, clouds=clouds)


def schema() -> str:
    """The JSON schema (2020-12) of a whole stack file, as text."""
    models = {model.__name__: _config(model) for model in MODELS}
    clouds = {"enum": list(CLOUDS), "description": f"{_CLOUD}."}
    config = {
        "type": "object",
        "properties": {f"{PROJECT}:cloud": clouds},
        "allOf": [
            {"if": _is(model), "then": {"$ref": f"#/$defs/{model.__name__}"}} for model in MODELS
        ],
    }
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack file of Trackstack",
        "type": "object",
        "required": ["config"],
        "properties": {"config": config},
        "$defs": models,
    }
    return json.dumps(whole, indent=1) + "\n"


def _properties(model: type[Common]) -> dict[str, dict[str, Any]]:
    """Key -> its JSON schema without what says nothing; what must be given comes first."""
    found = model.model_json_schema(by_alias=True)["properties"]
    keys = {key: _plain(entry) for key, entry in found.items()}
    if keys.get("cloud", {}).get("const") == _DEFAULT_CLOUD:
        keys["cloud"] |= {"default": _DEFAULT_CLOUD}
    first = [key for key in ("cloud", "compute", *_required(model)) if key in keys]
    return {key: keys[key] for key in dict.fromkeys([*first, *keys])}


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Without titles, and without null: an optional key is left out of a stack file."""
    kept = {k: v for k, v in entry.items() if k not in ("title", "anyOf")}
    given = cast("list[dict[str, Any]]", entry.get("anyOf", []))
    (other,) = [e for e in given if e != {"type": "null"}] or [{}]
    kept = {**other, **kept}
    return {k: v for k, v in kept.items() if not (k == "default" and v is None)}


def _required(model: type[Common]) -> tuple[str, ...]:
    """The keys that have no default; the engine itself fills in the first cloud (Pulumi.yaml)."""
    found = model.model_json_schema(by_alias=True)
    const = found["properties"].get("cloud", {}).get("const")
    required = cast("list[str]", found.get("required", []))
    return tuple(key for key in required if not (key == "cloud" and const == _DEFAULT_CLOUD))


def _computes(model: type[Common]) -> tuple[str, list[str], bool]:
    """The model's cloud, its computes, and whether one of them is the cloud's default."""
    [(cloud, computes)] = [(c, of) for c, of in CLOUDS.items() if model in of.values()]
    own = [name for name, found in computes.items() if found is model]
    return cloud, own, next(iter(computes)) in own


def _chosen(model: type[Common]) -> str:
    cloud, computes, is_default = _computes(model)
    said = f"With `cloud: {cloud}`"
    return f"{said}." if is_default else f"{said} and `compute: {' or '.join(computes)}`."


def _is(model: type[Common]) -> dict[str, Any]:
    cloud, computes, is_default = _computes(model)
    given: dict[str, Any] = {f"{PROJECT}:cloud": {"const": cloud}}
    if len(computes) < len(CLOUDS[cloud]):
        given[f"{PROJECT}:compute"] = {"enum": computes}
    names = [] if cloud == _DEFAULT_CLOUD else [f"{PROJECT}:cloud"]
    return {
        "properties": given,
        "required": names if is_default else [*names, f"{PROJECT}:compute"],
    }


def _config(model: type[Common]) -> dict[str, Any]:
    """The keys of one kind of stack; those of other projects' are none of ours."""
    secret = {"type": "object", "required": ["secure"], "additionalProperties": {"type": "string"}}
    keys = {key: _or_text(entry) for key, entry in _properties(model).items()} | {
        key: {**secret, "description": SECRETS[key]} for key in sorted(model.secret_keys)
    }
    named = {f"{PROJECT}:{key}": entry for key, entry in keys.items()}
    return {
        "required": [f"{PROJECT}:{key}" for key in _required(model)],
        "properties": named,
        "propertyNames": {"anyOf": [{"not": {"pattern": f"^{PROJECT}:"}}, {"enum": list(named)}]},
    }


def _or_text(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A value as YAML has it, or as `pulumi config set` writes it, which knows text alone."""
    texts = {"boolean": "^(true|false)$", "integer": "^[0-9]+$", "number": "^[0-9.]+$"}
    kind = entry.get("type")
    if kind not in (*texts, "array", "object"):
        return dict(entry)
    said = {k: v for k, v in entry.items() if k in ("description", "default")}
    rest = {k: v for k, v in entry.items() if k not in said}
    return {**said, "anyOf": [rest, {"type": "string", "pattern": texts.get(kind, r"^[\[{]")}]}


def _table(
    keys: Mapping[str, Mapping[str, Any]], secrets: Iterable[str], required: Iterable[str]
) -> str:
    lines = ["| key | meaning | allowed | default |", "|---|---|---|---|"]
    for key, entry in keys.items():
        default = "required" if key in required else _shown(entry.get("default"))
        lines.append(
            f"| `{key}` | {entry.get('description', '')} | {_allowed(entry)} | {default} |"
        )
    lines += [f"| `{key}` | {SECRETS[key]} | secret | |" for key in sorted(secrets)]
    return "\n".join(lines) + "\n"


def _allowed(entry: Mapping[str, Any]) -> str:
    if words := entry.get("enum", [entry["const"]] if "const" in entry else []):
        return ", ".join(map(_shown, words))
    kind = entry["type"]
    if kind == "boolean":
        return "`true`, `false`"
    if kind in ("array", "object"):
        such = entry.get("items", {}).get("examples")
        return ("list" if kind == "array" else "names with values") + _such(such and [such[:1]])
    if "minimum" in entry:
        bounds = f"{entry['minimum']} to {entry['maximum']}"
        return bounds + (", or `never`" if "string" in kind else "")
    return "text" if "examples" not in entry else _such(entry["examples"]).strip()


def _such(examples: Iterable[Any] | None) -> str:
    return f" such as {' or '.join(map(_shown, examples))}" if examples else ""


def _shown(value: Any) -> str:
    if value in (None, "", [], {}):
        return ""
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"
