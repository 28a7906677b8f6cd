"""Signing in and the account page in a real browser: links keep their target, and forms work."""

from pathlib import Path

import pytest

from runtime.tokens.store import Role
from tests.browser import browsing
from tests.runtime.access.people.site import ACCOUNT, SEARCH, made, served
from tests.runtime.serving import request

pytestmark = pytest.mark.slow

_RUN = "/#/experiments/1/runs/0a1b?tab=metrics"


def test_a_link_to_a_run_ends_on_the_run_and_the_account_page_makes_a_token(tmp_path: Path) -> None:
    site = made(tmp_path, TRACKSTACK_STACK="azure-prod")
    team = site.shared.add("team", Role.WRITE, None)
    with served(site) as uri, browsing() as page:
        page.goto(uri + _RUN)
        assert "azure-prod" in page.inner_text("main")
        page.fill("#token", "wrong")
        page.keyboard.press("Enter")
        page.get_by_role("alert").wait_for()
        page.fill("#token", team)
        page.keyboard.press("Enter")
        page.wait_for_url(uri + _RUN)

        page.goto(uri + ACCOUNT)
        page.fill("#name", "laptop")
        page.fill("#days", "30")
        page.get_by_role("button", name="Make a token").click()
        value = page.inner_text("pre >> nth=0")
        assert request(f"{uri}{SEARCH}", "POST", value).status == 200
        for width, scheme in ((1280, "light"), (360, "dark")):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.set_viewport_size({"width": width, "height": 800})
            page.screenshot(path=str(tmp_path / f"account-{scheme}.png"), full_page=True)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, "nothing has to be scrolled sideways"
        page.get_by_role("button", name="Revoke laptop").click()
        page.get_by_text("None yet.").wait_for()
        assert request(f"{uri}{SEARCH}", "POST", value).status == 401
