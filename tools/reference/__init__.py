"""The pages of the reference, from the code: `make reference` writes them, a test compares them."""

from collections.abc import Callable, Mapping

from infra.settings import reference
from tools.reference import api, commands, metrics, outputs, published, routes, variables

# File, from the project's folder -> what makes its text.
PAGES: Mapping[str, Callable[[], str]] = {
    "docs/reference/keys.md": reference.page,
    "docs/reference/outputs.md": outputs.page,
    "docs/reference/commands.md": commands.page,
    "docs/reference/variables.md": variables.page,
    "docs/reference/metrics.md": metrics.page,
    "docs/reference/routes.md": routes.page,
    "docs/reference/published.md": published.page,
    "docs/reference/api.md": api.page,
    "stacks/schema.json": reference.schema,
    "Pulumi.yaml": reference.project,
}
