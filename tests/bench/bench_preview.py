"""`pulumi preview` of a cloud stack beside that of a program that only imports what the stack uses.

`python -m tests.bench.bench_preview --stack oci-prod`: both by the real engine, the stack on its
rehearsed cloud. What is over 1 is what our program does: plan, resources, their registration.
"""

import argparse
import ast
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from infra.place import ROOT
from infra.rehearsal.engine import Engine
from infra.rehearsal.sandbox import prepared

_MOST = 1.5
_SHARED = ROOT / "infra/clouds/shared"


def _uses(cloud: str) -> list[str]:
    """Statements that import all that the program takes from SDKs for a cloud.

    The SDKs load a module when something in it is first asked for, so that is asked for too.
    """
    found: set[str] = set()
    for path in [*(ROOT / "infra/clouds" / cloud).rglob("*.py"), *_SHARED.glob("*.py")]:
        tree = ast.parse(path.read_text())
        modules: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pulumi_"):
                source = node.module
                modules |= {
                    a.asname or a.name: f"from {source} import {a.name}" for a in node.names
                }
            elif isinstance(node, ast.Import):
                named = {a.asname or a.name: f"import {a.name}" for a in node.names}
                modules |= {k: v for k, v in named.items() if v.startswith("import pulumi")}
        found |= set(modules.values())
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
                continue
            if statement := modules.get(node.value.id):
                name = statement.rpartition(" ")[2].rpartition(".")[2]
                found.add(f"{statement}; {name}.{node.attr}")
    return sorted(found)


def _empty(folder: Path, cloud: str, like: Engine) -> Engine:
    project = folder / "empty"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: empty\nruntime: python\n")
    (project / "__main__.py").write_text("\n".join(_uses(cloud)) + "\n")
    return replace(like, project_dir=project, state_dir=folder / "state-of-empty", stack="empty")


def _seconds(engine: Engine) -> float:
    began = time.monotonic()
    engine.run("preview")
    return time.monotonic() - began


def main() -> None:
    """Print the figures; exits 1 beyond 1.5 times the empty program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="oci-prod", help="on Azure, OCI or in containers")
    parser.add_argument("--times", type=int, default=5, help="previews of each, in turn")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="trackstack-") as folder,
        prepared(options.stack, Path(folder)) as sandbox,
    ):
        cloud = str(sandbox.config["trackstack:cloud"])
        # The rehearsed cloud of this machine is its Docker daemon.
        cloud = "docker" if cloud == "local" else cloud
        ours, empty = sandbox.engine, _empty(Path(folder), cloud, sandbox.engine)
        try:
            # The first of each is a warm-up.
            pairs = [(_seconds(ours), _seconds(empty)) for _ in range(options.times + 1)][1:]
        finally:
            for made in sandbox.clouds:
                made.sweep()
    mine, theirs = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
    figures = {
        "preview": round(mine, 2),
        "empty": round(theirs, 2),
        "ratio": round(mine / theirs, 2),
    }
    if options.json:
        print(json.dumps({"stack": options.stack, **figures}))
    else:
        print(f"{options.stack}: {mine:.2f} s; an empty program with its imports {theirs:.2f} s")
        print(f"ours / empty: {mine / theirs:.2f} times the time")
    sys.exit(mine / theirs > _MOST)


if __name__ == "__main__":
    main()
