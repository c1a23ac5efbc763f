"""Signing in and out in a browser, and the page under a path that a reverse proxy gives it."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import hub as hubs
from tests.browser import proxy as proxies
from tests.browser.hub import GIB, Hub

PREFIX = "/ops/telemetry"


@pytest.fixture(scope="module")
def hub():
    """A hub that wants tokens, with one job."""
    with hubs.running(guarded=True, stall_after=600.0, fail_after=3600.0) as running:
        running.send("web-01", sequence=1, status="running", bytes_transferred=GIB, total_bytes=4 * GIB)
        yield running


def sign_in(page: Page, token: str) -> None:
    """What a person does on the sign-in page."""
    page.get_by_label("Token, or the code of a one-time link").fill(token)
    page.get_by_role("button", name="Sign in").click()


def admin(hub: Hub) -> str:
    """The token that the first start left behind."""
    return (hub.state / "admin.token").read_text().strip()


def test_a_browser_without_a_session_signs_in_with_a_token_and_out_again(hub: Hub, page: Page, axe, shoot):
    page.goto(hub.address)
    expect(page).to_have_url(f"{hub.address}/login")
    assert axe(page) == []
    sign_in(page, "sd1_nonsense")
    expect(page.locator("#said.refused")).to_be_visible()
    shoot(page, "login")
    sign_in(page, admin(hub))
    expect(page.get_by_role("link", name="web-01", exact=True)).to_be_visible()
    expect(page.locator(".account")).to_contain_text("signed in as admin (admin)")
    expect(page.locator("#open-mode")).to_have_count(0)
    assert admin(hub) not in page.content()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{hub.address}/login")
    page.goto(hub.address)
    expect(page).to_have_url(f"{hub.address}/login")


def test_a_one_time_link_signs_one_browser_in_and_leaves_no_trace_in_its_address(hub: Hub, page: Page, browser):
    link = hub.token("link", "admin", "--hub", hub.address)
    page.goto(link)
    expect(page.get_by_role("link", name="web-01", exact=True)).to_be_visible()
    assert "sd1_" not in page.url
    page.go_back()
    assert "sd1_" not in page.url
    with browser.new_context() as second:
        other = second.new_page()
        other.goto(link)
        expect(other.locator("#said.refused")).to_contain_text("used already")


def test_an_appliances_token_does_not_open_the_page(hub: Hub, page: Page):
    page.goto(f"{hub.address}/login")
    sign_in(page, (hub.state / "appliance-1.token").read_text().strip())
    expect(page.locator("#said.refused")).to_contain_text("may not look")


def test_a_session_that_is_ended_elsewhere_leads_back_to_the_sign_in_page(hub: Hub, page: Page):
    hub.token("create", "ann", "--role", "read", "--output", str(hub.state / "ann.token"))
    page.goto(f"{hub.address}/login")
    sign_in(page, (hub.state / "ann.token").read_text().strip())
    expect(page.get_by_role("link", name="web-01", exact=True)).to_be_visible()
    hub.token("revoke", "ann")
    expect(page).to_have_url(f"{hub.address}/login")


def test_behind_a_proxy_under_a_path_everything_works_and_nothing_leaves_the_path(hub: Hub, page: Page):
    with proxies.before(hub.address, PREFIX) as proxy:
        page.goto(f"{proxy.address}/")
        expect(page).to_have_url(f"{proxy.address}/login")
        sign_in(page, admin(hub))
        expect(page).to_have_url(re.compile(rf"^{re.escape(proxy.address)}/(#/)?$"))
        web = page.locator("tbody.job").filter(has_text="web-01")
        expect(web.locator(".percent-column")).to_have_text("25.0 %")
        hub.send("web-01", sequence=2, status="running", bytes_transferred=2 * GIB, total_bytes=4 * GIB)
        expect(web.locator(".percent-column")).to_have_text("50.0 %")
        page.get_by_role("link", name="web-01", exact=True).click()
        expect(page.locator("#events")).to_contain_text("the sender")
        page.reload()
        expect(page.locator("#job h2")).to_contain_text("web-01")
        raw = page.get_by_role("link", name="Raw JSON").evaluate("(link) => link.href")
        assert raw == f"{proxy.address}/api/v1/jobs/web-01"
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(f"{proxy.address}/login")
        assert [stray for stray in proxy.strays if stray != "/favicon.ico"] == []
