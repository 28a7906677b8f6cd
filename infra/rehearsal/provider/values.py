"""Property values as Python values, and back, with nothing lost on the way.

Unknown values (outputs during a preview) become `UNKNOWN`; secrets become plain values whose
paths are kept beside them; whole numbers, which arrive as doubles, become ints.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value

Props = dict[str, Any]
Path = tuple[str | int, ...]

# The marks of sdk/go/common/resource/plugin/rpc.go and properties.go.
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Unknown:
    """A value that a preview cannot know yet."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Sealed:
    """Plain values, and the paths at which they are secret."""

    values: Props
    secrets: frozenset[Path] = field(default_factory=frozenset[Path])


def decode(struct: Struct) -> Sealed:
    """Read properties off the wire."""
    secrets: set[Path] = set()
    values = {name: _decode(value, (name,), secrets) for name, value in struct.fields.items()}
    return Sealed(values, frozenset(secrets))


def encode(values: Mapping[str, Any], secrets: Iterable[Path] = ()) -> Struct:
    """Write properties to the wire, secret at ``secrets``.

    A secret whose path is gone (a list grew shorter) makes its whole property secret: rather too
    much hidden than a secret shown.
    """
    marked = {path if _reaches(values, path) else path[:1] for path in secrets}
    struct = Struct()
    for name, value in values.items():
        struct.fields[name].CopyFrom(_encode(value, (name,), marked))
    return struct


def items(values: Mapping[str, Any], name: str) -> list[Any]:
    """The list under a name, empty where there is none."""
    return cast("list[Any]", values.get(name) or [])


def child(values: Mapping[str, Any], name: str) -> Props:
    """The object under a name, empty where there is none."""
    return cast("Props", values.get(name) or {})


def lookup(values: Any, path: str) -> Any:
    """The value at a dotted path of names, None where there is none, UNKNOWN below an unknown."""
    for name in path.split("."):
        if isinstance(values, Unknown):
            return values
        if not isinstance(values, Mapping):
            return None
        values = cast("Mapping[str, Any]", values).get(name)
    return values


def has_unknown(value: Any) -> bool:
    """Whether anything inside is unknown."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in cast("Mapping[str, Any]", value).values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in cast("list[Any]", value))
    return isinstance(value, Unknown)


def redact(sealed: Sealed) -> Props:
    """The values as they may be written to a log: secrets and unknowns named, not shown."""

    def walk(value: Any, path: Path) -> Any:
        if path in sealed.secrets:
            return "[secret]"
        if isinstance(value, Unknown):
            return "[unknown]"
        if isinstance(value, Mapping):
            items = cast("Mapping[str, Any]", value).items()
            return {name: walk(item, (*path, name)) for name, item in items}
        if isinstance(value, list):
            listed = enumerate(cast("list[Any]", value))
            return [walk(item, (*path, index)) for index, item in listed]
        return value

    return cast("Props", walk(sealed.values, ()))


def _decode(value: Value, path: Path, secrets: set[Path]) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if value.string_value == _UNKNOWN else value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            listed = enumerate(value.list_value.values)
            return [_decode(item, (*path, index), secrets) for index, item in listed]
        case "struct_value":
            return _decode_struct(value.struct_value, path, secrets)
        case _:
            return None


def _decode_struct(struct: Struct, path: Path, secrets: set[Path]) -> Any:
    fields = struct.fields
    signature = fields[_SIGNATURE].string_value if _SIGNATURE in fields else ""
    if signature == _SECRET or (
        signature == _OUTPUT and "secret" in fields and fields["secret"].bool_value
    ):
        secrets.add(path)
    if signature in (_SECRET, _OUTPUT):
        return _decode(fields["value"], path, secrets) if "value" in fields else UNKNOWN
    return {name: _decode(item, (*path, name), secrets) for name, item in fields.items()}


def _encode(value: Any, path: Path, secrets: set[Path]) -> Value:
    if path in secrets:
        fields = {"value": _encode(value, path, secrets - {path})}
        fields[_SIGNATURE] = Value(string_value=_SECRET)
        return Value(struct_value=Struct(fields=fields))
    if isinstance(value, Unknown):
        return Value(string_value=_UNKNOWN)
    if value is None:
        return Value(null_value=NULL_VALUE)
    if isinstance(value, bool):
        return Value(bool_value=value)
    if isinstance(value, int | float):
        return Value(number_value=value)
    if isinstance(value, str):
        return Value(string_value=value)
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        fields = {name: _encode(item, (*path, name), secrets) for name, item in items}
        return Value(struct_value=Struct(fields=fields))
    if isinstance(value, Sequence):
        listed = enumerate(cast("Sequence[Any]", value))
        encoded = [_encode(item, (*path, index), secrets) for index, item in listed]
        return Value(list_value=ListValue(values=encoded))
    raise TypeError(f"{'.'.join(map(str, path))}: {type(value).__name__} is no property value")


def _reaches(values: Any, path: Path) -> bool:
    for step in path:
        if isinstance(values, Mapping) and step in values:
            values = cast("Mapping[Any, Any]", values)[step]
        elif isinstance(values, list) and isinstance(step, int):
            listed = cast("list[Any]", values)
            if step >= len(listed):
                return False
            values = listed[step]
        else:
            return False
    return True
