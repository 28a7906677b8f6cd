"""Every relative link leads somewhere, every page is in the site, and each is the right length."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from infra.place import ROOT
from tests.docs.pages import name, pages, prose

_LONGEST_README = 120
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    titles = re.findall(r"(?m)^#+ (.+)$", prose(page))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def _broken(page: Path, text: str) -> Iterator[str]:
    for link in _LINK.findall(text):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = (page.parent / target).resolve() if target else page
        in_site = not page.is_relative_to(ROOT / "docs") or path.is_relative_to(ROOT / "docs")
        if not (path.is_file() and in_site) or (anchor and anchor not in _anchors(path)):
            yield link


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert list(_broken(page, prose(page))) == []


@pytest.mark.parametrize("link", ["no.md", "index.md#no", "#no", "../LICENSE", "no.png"])
def test_a_link_that_leads_nowhere_is_found(link: str) -> None:
    assert list(_broken(ROOT / "docs" / "index.md", f"see [it]({link})")) == [link]


def test_every_page_of_the_site_is_in_its_menu() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    pages_there = {path.relative_to(ROOT / "docs").as_posix() for path in pages() if _in_docs(path)}
    menu = list(_files(site["nav"]))
    assert sorted(menu) == sorted(pages_there)
    assert site["strict"] is True


def test_the_readme_is_short_and_has_pictures_that_are_small() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= _LONGEST_README
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(pictures) >= 2
    assert all((ROOT / path).stat().st_size < 150_000 for path in pictures)


def _in_docs(path: Path) -> bool:
    return path.is_relative_to(ROOT / "docs")


def _files(menu: Any) -> Iterator[str]:
    if isinstance(menu, str):
        yield menu
    elif isinstance(menu, dict):
        for value in cast("dict[str, Any]", menu).values():
            yield from _files(value)
    else:
        for each in cast("list[Any]", menu):
            yield from _files(each)
