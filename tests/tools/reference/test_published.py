"""Each line of the published set-ups is what the page says, by its own proof."""

import ast
from pathlib import Path

import pytest
from click import Context

from infra.place import ROOT
from infra.settings import MODELS, SECRET_KEYS
from runtime.cli import cli
from runtime.database.uri import store_uri
from runtime.errors import UserError
from runtime.server.told import told
from runtime.settings import field_of, load
from tools.reference.commands import targets
from tools.reference.published import LINES, azure, oci, platform
from tools.reference.published.line import Line

_ALL = [line for lines in LINES.values() for line in lines]
_CLOUDS_OF = {
    platform.TITLE: ("azure", "oci"),
    oci.TITLE: ("oci",),
    azure.TITLE: ("azure",),
}
_KEYS = {str(f.alias) for model in MODELS for f in model.model_fields.values()} | SECRET_KEYS


@pytest.mark.parametrize("line", _ALL, ids=lambda line: line.line)
def test_a_line_is_what_the_page_says(line: Line) -> None:
    # That a key or a target is there shows nothing that runs.
    assert line.variables or line.commands or line.test or line.stacks, "no proof"
    assert line.said or line.verdict != "better"
    assert {name for name in line.variables if field_of(name) is None} == set()
    assert set(line.keys) - _KEYS == set()
    assert set(line.targets) - targets().keys() == set()
    context = Context(cli)
    for published, ours in line.commands.items():
        assert cli.get_command(context, published) is cli.get_command(context, ours) is not None
    for test in filter(None, (line.test, *line.stacks)):
        path, _, name = test.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}


def test_each_guide_is_followed_on_this_machine_and_on_the_clouds_that_it_is_of() -> None:
    for title, lines in LINES.items():
        shown = {test.partition("::")[0] for line in lines for test in line.stacks}
        assert {f"tests/stacks/test_{cloud}_stack.py" for cloud in _CLOUDS_OF[title]} <= shown
        assert "tests/stacks/test_vm_stacks.py" in shown
    assert [line.line for line in _ALL if line.targets and not line.stacks] == []


@pytest.mark.parametrize("line", [x for x in _ALL if x.variables], ids=lambda line: line.line)
def test_its_variables_are_taken_or_refused_as_it_says(line: Line, tmp_path: Path) -> None:
    given = {"TRACKSTACK_DATA_DIR": str(tmp_path), **line.variables}
    if line.refused:
        with pytest.raises(UserError, match=line.refused):
            store_uri(load(given))
        return
    settings = load(given)
    for name in line.variables:
        assert getattr(settings, str(field_of(name))) is not None
    said = " ".join(told(settings))
    assert line.told in said
    # What is told is on the page as other than it was, or told there too.
    assert not said or line.told
    assert settings.db_secret_ocid or store_uri(settings)
