"""The list of machines and the page of one, on a real hub under real telemetry."""

from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser import hub as hubs
from tests.browser.hub import GIB, Hub, disk
from tests.browser.paper import Paper
from tests.browser.stage import Stage, at, job

PAYLOAD = "<img src=x onerror=pwned=1><script>pwned=1</script>\"'><svg onload=pwned=1> \u202eabc"
ODD = "Größe/01 %2F ?x=y#z 数据库"


@pytest.fixture(scope="module")
def hub():
    """A hub that ticks every 0.5 s, and calls no job stalled while a test looks at it."""
    with hubs.running(stall_after=120.0) as running:
        yield running


def a_run(hub: Hub, name: str, machine: str, status: str, size: int, **said) -> None:
    hub.send(name, sequence=1, status="running", vm_name=machine, bytes_transferred=0, total_bytes=size)
    hub.send(name, sequence=2, status=status, vm_name=machine, bytes_transferred=size, total_bytes=size, **said)


def row(page: Page, name: str):
    """The line of a machine."""
    return page.locator(".machines-table tbody tr").filter(has=page.get_by_role("link", name=name, exact=True))


def test_a_hub_without_machines_gives_the_exact_next_command(page: Page, shoot):
    with hubs.running() as hub:
        nothing_there(hub, page, shoot)


def nothing_there(hub: Hub, page: Page, shoot) -> None:
    page.goto(f"{hub.address}/#/machines")
    expect(page.locator("#machines pre")).to_have_text(
        f"clientd run --job-id backup-demo --vm-name web-01 --disk SOURCE=TARGET --hub {hub.address}"
    )
    page.goto(f"{hub.address}/#/machine/web-01")
    expect(page.locator("#machine")).to_contain_text("No job has come from a machine of this name: web-01")
    expect(page.locator("#machine pre")).to_contain_text(f"--hub {hub.address}")
    shoot(page, "machine-unknown")


def test_machines_are_listed_with_how_their_runs_went_and_what_runs_now(hub: Hub, page: Page, shoot):
    a_run(hub, "web-1", "web-01", "completed", 4 * GIB)
    a_run(hub, "web-2", "web-01", "completed", 8 * GIB)
    a_run(hub, "sql-1", "sql-7", "failed", GIB, error="disk 0: EIO at 4096")
    page.goto(f"{hub.address}/#/machines")
    web = row(page, "web-01")
    expect(web).to_contain_text("100 % of 2")
    expect(web.locator("td").nth(4)).to_have_text("8.0 GiB")
    expect(web.locator("td").nth(5)).to_have_text("6.0 GiB")
    expect(row(page, "sql-7")).to_contain_text("never completed")
    hub.send("web-3", sequence=1, status="running", vm_name="web-01", bytes_transferred=GIB, total_bytes=4 * GIB)
    expect(web.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "25")
    hub.send(
        "web-3", sequence=2, status="running", vm_name="web-01", bytes_transferred=2 * GIB, total_bytes=4 * GIB
    )
    expect(web.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "50")
    shoot(page, "machines")
    hub.send("web-3", sequence=3, status="completed", vm_name="web-01", bytes_transferred=4 * GIB)
    expect(web).to_contain_text("100 % of 3")
    expect(web.get_by_role("progressbar")).to_have_count(0)


def test_a_machine_is_found_by_a_part_of_its_name_and_the_address_can_be_sent(hub: Hub, page: Page):
    a_run(hub, "mail-1", "mail", "completed", GIB)
    a_run(hub, "files-1", "files-01", "completed", GIB)
    page.goto(f"{hub.address}/#/machines")
    expect(row(page, "mail")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("FILES")
    expect(row(page, "mail")).to_have_count(0)
    expect(row(page, "files-01")).to_be_visible()
    assert page.url.endswith("#/machines?q=FILES")
    page.reload()
    expect(row(page, "files-01")).to_be_visible()
    expect(row(page, "mail")).to_have_count(0)
    page.get_by_role("searchbox").fill("nobody")
    page.keyboard.press("Enter")
    expect(page.locator("#machines")).to_contain_text("No machine has nobody in its name.")


def test_the_page_of_a_machine_shows_its_runs_and_the_running_one_live(hub: Hub, page: Page, shoot):
    for number in (1, 2, 3):
        a_run(hub, f"app-{number}", "app-01", "completed", 4 * number * GIB)
    page.goto(f"{hub.address}/#/machine/app-01")
    figures = page.locator(".figures")
    expect(figures).to_contain_text("100 % of 3")
    expect(figures).to_contain_text("8.0 GiB")
    expect(page.locator("#running-now")).to_contain_text("Nothing of this machine runs.")
    expect(page.locator("#sizes canvas")).to_be_visible()
    hub.send("app-4", sequence=1, status="running", vm_name="app-01", disks=[disk(0, 10), disk(1, 30)])
    live = page.locator("#running-now")
    expect(live.get_by_role("progressbar", name="app-4")).to_have_attribute("aria-valuenow", "20")
    hub.send("app-4", sequence=2, status="running", vm_name="app-01", disks=[disk(0, 50), disk(1, 30)])
    expect(live.get_by_role("progressbar", name="app-4")).to_have_attribute("aria-valuenow", "40")
    history = page.get_by_role("table", name="History")
    expect(history.locator("tbody")).to_have_count(4)
    expect(history.locator("tbody").first).to_contain_text("running")
    shoot(page, "machine-dark")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 800, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    shoot(page, "machine-light-800")
    hub.send("app-4", sequence=3, status="failed", vm_name="app-01", error="the target is full")
    expect(history.locator("tbody").first).to_contain_text("the target is full")
    expect(figures).to_contain_text("75 % of 4")
    history.get_by_role("link", name="app-4").click()
    expect(page.locator("#job h2")).to_contain_text("app-01")


def test_a_machine_of_any_name_has_an_address_and_is_text_and_nothing_else(hub: Hub, page: Page, shoot):
    for number, name in enumerate([ODD, PAYLOAD]):
        a_run(hub, f"{PAYLOAD}{number}", name, "failed", GIB, error=PAYLOAD, backup_type=PAYLOAD)
        hub.send(f"{PAYLOAD}{number}r", sequence=1, status="running", vm_name=name, current_phase=PAYLOAD)
    page.goto(f"{hub.address}/#/machines")
    expect(row(page, PAYLOAD)).to_be_visible()
    for name in (ODD, PAYLOAD):
        page.goto(f"{hub.address}/#/machine/{quote(name, safe='')}")
        expect(page.locator("#machine h2")).to_have_text(name)
        expect(page.locator("#runs")).to_contain_text(PAYLOAD)
        expect(page.locator("#running-now")).to_contain_text(PAYLOAD)
    assert page.locator("img, script:not([src])").count() == 0
    assert page.evaluate("window.pwned") is None
    shoot(page, "machine-hostile")


def a_machine(**said):
    return {
        "name": "web-01", "runs": 3, "completed": 2, "failed": 1, "cancelled": 0, "active": 0,
        "success_percent": 66.7, "mean_bytes": 2**30, "mean_seconds": 95, "last_bytes": 2**30,
        "last_run_at": at(-60), "last_success_at": at(-90_000), "within_percent": 11.2, **said,
    }  # fmt: skip


NEVER = dict.fromkeys(("success_percent", "last_bytes", "mean_bytes", "mean_seconds", "last_success_at"))
FLEET = {
    "web-01": {
        "success_percent": 90.0, "last_bytes": 3 * GIB, "mean_bytes": 2 * GIB, "mean_seconds": 50,
        "within_percent": None,
    },
    "Db-02": NEVER,
    "app-03": {
        "success_percent": 100.0, "last_bytes": GIB, "mean_bytes": 3 * GIB, "mean_seconds": 70,
        "last_run_at": at(-5),
    },
}  # fmt: skip


def a_fleet(query):
    """The machines as a hub gives them, one a page."""
    place = int(query.get("cursor", ["0"])[0])
    name, said = list(FLEET.items())[place]
    return {"machines": [a_machine(name=name, **said)], "next": str(place + 1) if place + 1 < len(FLEET) else None}


@pytest.mark.parametrize(
    ("heading", "ascending", "descending"),
    [
        ("Machine", "app-03 Db-02 web-01", "web-01 Db-02 app-03"),
        ("Now", "app-03 web-01 Db-02", "web-01 app-03 Db-02"),
        ("Last good run", "web-01 app-03 Db-02", "web-01 app-03 Db-02"),
        ("Last run", "web-01 Db-02 app-03", "app-03 web-01 Db-02"),
        ("Success", "web-01 app-03 Db-02", "app-03 web-01 Db-02"),
        ("Last size", "app-03 web-01 Db-02", "web-01 app-03 Db-02"),
        ("Mean size", "web-01 app-03 Db-02", "app-03 web-01 Db-02"),
        ("Mean duration", "web-01 app-03 Db-02", "app-03 web-01 Db-02"),
        ("Estimates", "Db-02 app-03 web-01", "Db-02 app-03 web-01"),
    ],
)
def test_machines_of_all_pages_are_ordered_by_any_column_and_the_address_keeps_it(
    stage: Stage, page: Page, heading: str, ascending: str, descending: str
):
    Paper(page, "/api/v1/machines", a_fleet)
    stage.open("/#/machines")
    stage.greet(
        [job("a", vm_name="web-01", progress_percent=60.0), job("b", vm_name="app-03", progress_percent=20.0)]
    )
    stage.pass_time(1)
    expect(page.locator(".machines-table tbody tr")).to_have_count(1)
    names = page.locator(".machines-table tbody th")
    click = page.get_by_role("columnheader").get_by_role("button", name=heading).click
    click()
    stage.until(lambda: names.all_inner_texts() == ascending.split())
    expect(page.locator(".machines-table th[aria-sort=ascending]")).to_have_text(heading)
    click()
    stage.until(lambda: names.all_inner_texts() == descending.split())
    page.reload()
    stage.pass_time(0.1)
    stage.greet(
        [job("a", vm_name="web-01", progress_percent=60.0), job("b", vm_name="app-03", progress_percent=20.0)]
    )
    stage.until(lambda: names.all_inner_texts() == descending.split())
    expect(page.locator(".machines-table th[aria-sort=descending]")).to_have_text(heading)
    click()
    stage.until(lambda: names.all_inner_texts() == ["web-01"])
    expect(page.get_by_role("link", name="More machines")).to_be_visible()


def test_of_more_machines_than_are_ordered_the_page_says_which_these_are(stage: Stage, page: Page, shoot):
    def endless(query):
        place = int(query.get("cursor", ["0"])[0])
        machines = [
            a_machine(name=f"vm-{place * 200 + index:05}", mean_bytes=place * 200 + index) for index in range(200)
        ]
        return {"machines": machines, "next": str(place + 1)}

    paper = Paper(page, "/api/v1/machines", endless)
    stage.open("/#/machines?sort=mean&order=desc")
    stage.greet()
    stage.until(lambda: page.locator("#more-machines").count() == 1)
    expect(page.locator("#more-machines")).to_contain_text("these are the first 2,000 by name")
    expect(page.locator(".machines-table tbody th").first).to_have_text("vm-01999")
    assert len(paper.queries) == 10
    paper.refuse(503, "the hub cannot read its database now; ask again")
    stage.hang_up()
    stage.pass_time(3)
    stage.greet()
    stage.until(lambda: page.locator("#machines .old-answer").count() == 1)
    expect(page.locator(".machines-table tbody th").first).to_have_text("vm-01999")


def a_detail(*runs, next_page=None, **said):
    return {"machine": a_machine(**said), "active": [], "runs": list(runs), "next": next_page}


def ended(name: str, status: str = "completed", ago: float = 100):
    return job(
        name, vm_name="web-01", status=status, created_at=at(-ago - 95), started_at=at(-ago - 95),
        completed_at=at(-ago), eta_seconds=0,
    )  # fmt: skip


def test_the_history_is_walked_page_by_page_and_each_page_has_an_address(stage: Stage, page: Page):
    def told(query):
        if query.get("cursor") == ["two"]:
            return a_detail(ended("older"))
        return a_detail(ended("newer"), next_page="two")

    Paper(page, "/api/v1/machines/web-01", told)
    stage.open("/#/machine/web-01")
    stage.greet()
    stage.pass_time(1)
    expect(page.get_by_role("table", name="History")).to_contain_text("newer")
    page.get_by_role("link", name="More older runs").click()
    stage.pass_time(1)
    expect(page.get_by_role("table", name="History")).to_contain_text("older")
    assert page.url.endswith("#/machine/web-01?cursor=two")
    page.get_by_role("link", name="The newest runs").click()
    stage.pass_time(1)
    expect(page.get_by_role("table", name="History")).to_contain_text("newer")


def test_a_run_says_its_average_speed_and_the_estimates_how_near_they_come(stage: Stage, page: Page):
    Paper(page, "/api/v1/machines/web-01", a_detail(ended("one"), ended("two", "failed")))
    stage.open("/#/machine/web-01")
    stage.greet()
    stage.pass_time(1)
    expect(page.locator(".runs-table tbody").first).to_contain_text("1 min 35 s")
    expect(page.locator(".runs-table tbody").first).to_contain_text("215.5 MiB/s")
    expect(page.locator(".figures")).to_contain_text("within 12 %")
    label = page.locator("#sizes .chart").get_attribute("aria-label") or ""
    assert label.startswith("Sizes of 2 runs since 03:10:52; the last one completed with 20.0 GiB")


def test_a_machine_whose_last_good_run_is_not_its_last_says_so_by_more_than_colour(stage: Stage, page: Page):
    Paper(page, "/api/v1/machines", {"machines": [a_machine()], "next": None})
    stage.open("/#/machines")
    stage.greet()
    stage.pass_time(1)
    worried = row(page, "web-01").locator(".worry")
    expect(worried).to_have_text("1 d 1 h ago")
    expect(worried.locator("svg")).to_have_count(1)
    expect(worried.locator("time")).to_have_attribute("title", "2026-11-23 01:14:07 UTC")


def test_a_failed_reading_of_machines_keeps_them_greyed_with_the_reason(stage: Stage, page: Page, shoot):
    paper = Paper(page, "/api/v1/machines", {"machines": [a_machine()], "next": None})
    stage.open("/#/machines")
    stage.greet()
    stage.pass_time(1)
    expect(row(page, "web-01")).to_be_visible()
    paper.status = 0
    for second in range(5, 40, 5):
        stage.tick(at(second))
    notice = page.locator("#machines .old-answer")
    expect(notice).to_contain_text("Old: the machines as of 03:14:07")
    expect(notice).to_contain_text("The hub does not answer.")
    expect(page.locator("#machines .old").locator(".machines-table")).to_be_visible()
    shoot(page, "machines-old")
    paper.status = 200
    for second in range(45, 60, 5):
        stage.tick(at(second))
    expect(notice).to_have_count(0)


def test_a_list_that_was_never_read_says_why(stage: Stage, page: Page):
    paper = Paper(page, "/api/v1/machines", None)
    paper.refuse(401, "no token")
    stage.open("/#/machines")
    stage.greet()
    stage.pass_time(1)
    expect(page.locator("#machines")).to_contain_text("This session is over; sign in again.")
    expect(page.locator("#machines").get_by_role("link", name="Sign in")).to_have_attribute("href", "login")
