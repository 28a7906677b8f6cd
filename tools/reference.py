"""Writes the reference of all keys and the schema for editors: `python -m tools.reference`."""

from infra.place import ROOT
from infra.settings import reference

if __name__ == "__main__":
    (ROOT / "stacks" / "README.md").write_text(reference.page())
    (ROOT / "stacks" / "schema.json").write_text(reference.schema())
