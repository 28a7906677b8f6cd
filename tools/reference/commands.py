"""The page of commands: those of `make`, and those of `trackstack`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.place import ROOT
from runtime.cli import cli
from tools.reference.text import GENERATED, code, table

_HEAD = f"""\
# Commands

{GENERATED}

`make` works on whole stacks, in the project's folder; `STACK=` names the stack, else it is `local`.
`trackstack` works on one server: by `make run ARGS=COMMAND` beside a stack's own, or wherever the
[variables](variables.md) say which. Each has `--help`. After `. ./env`, in bash and zsh, Tab
completes commands, options, targets, and the names of stacks behind `STACK=`.

## make

"""
_EXIT_CODES = """\
## trackstack

Exit codes: 0 done, 1 failed, 2 wrong input, 75 try again later, 130 interrupted; others stand at
their command. Where a command has `--json`, its report is JSON.

"""


def targets() -> dict[str, str]:
    """Target of the Makefile -> what it does."""
    text = (ROOT / "Makefile").read_text()
    return dict(re.findall(r"(?m)^([a-z-]+):.*## (.*)$", text))


def commands() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every command and subcommand, as it is typed, with what click knows of it."""
    context = cli.make_context("trackstack", [], resilient_parsing=True)
    yield from _walk("trackstack", cli.to_info_dict(context))


def page() -> str:
    """The page, in Markdown."""
    rows = [(code(f"make {name}"), text) for name, text in targets().items()]
    sections = [_section(name, info) for name, info in commands() if name != "trackstack"]
    return (
        _HEAD + table(["command", "what it does"], rows) + "\n" + _EXIT_CODES + "\n".join(sections)
    )


def _walk(name: str, info: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield name, info
    for word, inner in info.get("commands", {}).items():
        yield from _walk(f"{name} {word}", inner)


def _section(name: str, info: Mapping[str, Any]) -> str:
    given = [p for p in info["params"] if p["param_type_name"] == "argument"]
    options = [p for p in info["params"] if p not in given and "--help" not in p["opts"]]
    words = [str(p["name"]).upper() for p in given]
    usage = " ".join([name, *words, *(["COMMAND"] if "commands" in info else [])])
    parts = [f"### {name}\n", f"`{usage}`\n", _prose(str(info["help"]))]
    if options:
        rows = [(_spelled(p), p["help"] or "", _default(p)) for p in options]
        parts.append(table(["option", "meaning", "default"], rows))
    return "\n".join(parts)


def _spelled(option: Mapping[str, Any]) -> str:
    names = ", ".join([*option["opts"], *option["secondary_opts"]])
    kind = "" if option["is_flag"] else f" {_kind(option)}"
    return code(names + kind)


def _kind(option: Mapping[str, Any]) -> str:
    choices = option["type"].get("choices")
    return "|".join(map(str, choices)) if choices else str(option["type"]["name"]).upper()


def _default(option: Mapping[str, Any]) -> str:
    if option["required"]:
        return "required"
    given = option["default"]
    return "" if option["is_flag"] or callable(given) else code(given)


def _prose(text: str) -> str:
    r"""A command's help in Markdown: what stands after \b is shown as it is."""
    blocks: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in block.splitlines()]
        if lines[0] == "\b":
            title, *rest = lines[1:]
            shown = rest if title.endswith(":") else [title, *rest]
            blocks.append("```sh\n" + "\n".join(shown) + "\n```")
        else:
            # What click shows as it is, Markdown takes for markup.
            blocks.append(" ".join(lines).replace("<", "&lt;").replace("*", "\\*"))
    return "\n\n".join(blocks) + "\n"
