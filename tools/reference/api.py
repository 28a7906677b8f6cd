"""The page of the API of tokens and people."""

from collections.abc import Iterator
from typing import Any

from runtime.access.people import openapi
from tools.reference.text import GENERATED, code, table

_HEAD = f"""\
# API of tokens and people

{GENERATED} The server gives the same as OpenAPI at `{openapi.DOCUMENT}`, to whoever it
knows. Requests and answers are JSON. A token goes along as `Authorization: Bearer`; a
browser's session counts from the server's own pages alone. What is refused is answered with
`error_code` and `message`.

"""


def page() -> str:
    """The page, in Markdown."""
    found = openapi.document()
    parts = [_HEAD]
    for path, operations in found["paths"].items():
        parts += [f"## {code(path)}\n\n"]
        parts += [_operation(method, operation) for method, operation in operations.items()]
    schemas: dict[str, Any] = found["components"]["schemas"]
    for name, schema in schemas.items():
        if "properties" in schema:
            rows = list(_rows(schema))
            parts += [f"## {name}\n\n{table(['field', 'kind', 'meaning'], rows)}\n"]
    return "".join(parts).rstrip() + "\n"


def _operation(method: str, operation: dict[str, Any]) -> str:
    text = f"**{method.upper()}**: {operation['summary']}.\n\n"
    asked = [
        (f"?{parameter['name']}=", _kind(parameter["schema"]), "")
        for parameter in operation.get("parameters", [])
    ]
    if "requestBody" in operation:
        asked += _rows(operation["requestBody"]["content"]["application/json"]["schema"])
    if asked:
        text += table(["given", "kind", "meaning"], asked) + "\n"
    (status, answer), *_ = operation["responses"].items()
    return f"{text}Answered with {status}: {answer['description']}.\n\n"


def _rows(schema: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, value in schema["properties"].items():
        word = f"{name} (required)" if name in schema["required"] else name
        yield code(word), _kind(value), value.get("description", "")


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join("null" if each is None else code(each) for each in schema["enum"])
    kinds: str | list[str] = schema.get("type", "")
    return kinds if isinstance(kinds, str) else " or ".join(kinds)
