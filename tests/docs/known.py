"""Whether a command that is shown, or run by a pipeline, is one that there is."""

import re
import shlex
from collections.abc import Iterator

from infra.place import ROOT
from tools.reference.commands import commands, targets

_KNOWN = dict(commands())
_TARGETS = set(targets())
_VARIABLES = set(re.findall(r"\$\((?:if \$\()?([A-Z]+)\)", (ROOT / "Makefile").read_text()))


def problems(words: list[str]) -> Iterator[str]:
    """What is wrong with one command; nothing with one that is none of ours."""
    match words:
        case ["make", *rest]:
            yield from _of_make(rest)
        case ["trackstack", *rest]:
            yield from _of_trackstack(rest)
        case ["python", "-m", module, *_] if module.split(".")[0] in ("infra", "tests", "tools"):
            path = ROOT / module.replace(".", "/")
            if not (path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()):
                yield f"no module {module}"
        case _:
            return


def _of_make(words: list[str]) -> Iterator[str]:
    for word in words:
        variable, assigned, value = word.partition("=")
        if assigned:
            if variable not in _VARIABLES:
                yield f"make has no {variable}"
            elif variable == "ARGS":
                yield from _of_trackstack(shlex.split(value))
        elif not word.startswith("-") and word not in _TARGETS:
            yield f"no target {word}"


def _of_trackstack(words: list[str]) -> Iterator[str]:
    path, rest = "trackstack", iter(words)
    for word in rest:
        known = _KNOWN[path]
        if word.startswith("--"):
            option, assigned, _ = word.partition("=")
            found = [each for each in known["params"] if option in each["opts"]]
            if not found:
                yield f"{path} has no {option}"
                return
            elif not found[0]["is_flag"] and not assigned:
                next(rest, None)
        elif "commands" in known:
            if word == "COMMAND":
                return
            if word not in known["commands"]:
                yield f"{path} has no {word}"
                return
            path = f"{path} {word}"
