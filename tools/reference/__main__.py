"""Writes the pages of the reference and the schema for editors: `python -m tools.reference`."""

from infra.place import ROOT
from tools.reference import PAGES

if __name__ == "__main__":
    for name, text in PAGES.items():
        (ROOT / name).write_text(text())
