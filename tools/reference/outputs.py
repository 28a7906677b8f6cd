"""The page of a stack's outputs."""

from infra.outputs import OUTPUTS
from tools.reference.text import GENERATED, code, table

_HEAD = f"""\
# Outputs

{GENERATED} Every stack has the same outputs, on every cloud:
`pulumi stack output NAME --stack STACK`, after `. ./env`.

"""


def page() -> str:
    """The page, in Markdown."""
    return _HEAD + table(["output", "what it is"], [(code(n), text) for n, text in OUTPUTS.items()])
