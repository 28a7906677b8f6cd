"""The page "You know it as": each line of the published set-ups, and what it is here.

``LINES`` is the one table. Its tests run each line's proof: what a variable, a key, a command, a
refusal or a message is is asked of the code itself; for what needs a server, the test is named.
"""

from collections.abc import Mapping, Sequence

from tools.reference.published import azure, oci, platform
from tools.reference.published.line import Line
from tools.reference.text import GENERATED, table

_HEAD = f"""\
# You know it as

{GENERATED} The lines of three published set-ups, what you write here, and what is better or
differs. *Same* means that the line works as it is printed. To bring the data along:
[Move your MLflow here](../how-to/move-in.md).

"""

LINES: Mapping[str, Sequence[Line]] = {part.TITLE: part.LINES for part in (platform, oci, azure)}


def page() -> str:
    """The page, in Markdown."""
    head = ["published", "here", "", "what is better or differs"]
    return _HEAD + "\n".join(
        f"## {title}\n\n{table(head, ((x.line, x.ours, x.verdict, x.said) for x in found))}"
        for title, found in LINES.items()
    )
