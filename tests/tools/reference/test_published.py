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
from tools.reference.published import LINES
from tools.reference.published.line import Line

_ALL = [line for lines in LINES.values() for line in lines]
_KEYS = {str(f.alias) for model in MODELS for f in model.model_fields.values()} | SECRET_KEYS


@pytest.mark.parametrize("line", _ALL, ids=lambda line: line.line)
def test_a_line_is_what_the_page_says(line: Line) -> None:
    assert line.variables or line.keys or line.commands or line.targets or line.test, "no proof"
    assert line.said or line.verdict != "better"
    assert {name for name in line.variables if field_of(name) is None} == set()
    assert set(line.keys) - _KEYS == set()
    assert set(line.targets) - targets().keys() == set()
    context = Context(cli)
    for published, ours in line.commands.items():
        assert cli.get_command(context, published) is cli.get_command(context, ours) is not None
    if line.test:
        path, _, name = line.test.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}


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
