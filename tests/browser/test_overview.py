"""The jobs' page: what a row says, what is narrowed down and ordered by the address, and long tables."""

import re

from playwright.sync_api import Page, expect

from tests.browser.paper import Paper
from tests.browser.stage import GIB, ORIGIN, Stage, at, job

ESTIMATE = {"eta_seconds": 1_500, "eta_low_seconds": 1_200, "eta_high_seconds": 2_400}


def row(page: Page, name: str):
    """The line of a job."""
    return page.locator("tbody.job").filter(has=page.get_by_role("link", name=name, exact=True))


def names(page: Page, table: str) -> list[str]:
    """The machines of a table, from above."""
    return page.locator(f"#{table} tbody.job a").all_inner_texts()


def finished(number: int, **said):
    """A job that completed so many minutes ago."""
    ended = {"status": "completed", "completed_at": at(-60 * number), "progress_percent": 100.0, "eta_seconds": 0}
    return job(f"done-{number}", started_at=at(-60 * number - 600), **{**ended, **said})


def test_a_row_says_all_that_is_known_of_a_job(stage: Stage, page: Page):
    stage.open()
    stage.greet([job("backup-web-01", vm_name="web-01", appliance="rack-1", attempt=2, **ESTIMATE)])
    web = row(page, "web-01")
    for column, text in {
        "state": "running",
        "machine": "web-01backup-web-01",
        "type": "backupincremental",
        "phase": "transferring2 of 3",
        "percent": "50.0 %",
        "bytes": "20.0 GiBof 40.0 GiB allocated",
        "speed": "274.0 MiB/s",
        "left": "03:3903:34 to 03:54",
        "heard": "2 s agomoved 2 s ago",
        "appliance": "rack-1attempt 2",
    }.items():
        expect(web.locator(f".{column}-column")).to_have_text(re.compile(rf"^\s*{re.escape(text)}\s*$"))
    expect(web.locator(".left-column time")).to_have_attribute("title", "2026-11-24 02:39:05 UTC")
    expect(page.locator("#summary")).to_have_text(
        "1 running, 0 stalled, 0 failed; finish 03:34 to 03:55; last telemetry 2 s ago"
    )


def test_the_first_line_says_how_many_have_no_estimate_and_that_nobody_knows_yet(stage: Stage, page: Page):
    stage.open()
    measuring = job("new", eta_seconds=None, eta_reason="measuring")
    stage.greet([measuring])
    expect(page.locator("#summary")).to_contain_text("; finish not known yet; ")
    stage.say("changes", sequence=11, jobs=[job("other", **ESTIMATE)])
    expect(page.locator("#summary")).to_contain_text("; finish 03:34 to 03:55 (1 unknown); ")


def test_a_row_draws_the_speeds_of_ten_minutes_and_tells_their_mean(stage: Stage, page: Page):
    stage.details["web-01/samples"] = {
        "job_id": "web-01",
        "step_seconds": 5.0,
        "samples": [
            {"at": at(-second), "bytes_transferred": 20 * GIB - second * 2**28, "transfer_speed_bps": 2**28}
            for second in (60, 40)
        ],
        "gaps": [{"start": at(-40), "end": at(-4), "cause": "silent"}],
    }
    stage.open()
    stage.greet([job("web-01")])
    line = row(page, "web-01").locator(".spark path")
    stage.until(lambda: re.match(r"M[\d. ]+L[\d. ]+M[\d. ]+$", line.get_attribute("d") or "") is not None)
    expect(row(page, "web-01").locator(".speed-column small")).to_have_text("mean 264.8 MiB/s")


def test_filters_search_and_order_stand_in_the_address_and_come_back_from_it(stage: Stage, page: Page):
    stage.open()
    jobs = [job(f"db-{number}", bytes_transferred=number * GIB) for number in (2, 3, 1)]
    stage.greet([*jobs, job("web-1"), job("DB-9", job_type="restore")])
    page.get_by_label("Search by machine or job id").fill("db")
    page.get_by_label("Type").select_option("backup")
    stage.pass_time(0.1)
    page.get_by_role("region", name="Running").get_by_role("button", name="Copied").click()
    stage.pass_time(0.1)
    assert names(page, "running") == ["db-1", "db-2", "db-3"]
    assert page.url == f"{ORIGIN}/#/?q=db&type=backup&sort=bytes&order=asc"
    expect(page.locator("#running th[aria-sort]")).to_have_attribute("aria-sort", "ascending")
    expect(page.locator(".filters .quiet")).to_have_text("3 of 5 live jobs")
    page.reload()
    stage.pass_time(0.1)
    stage.greet([*jobs, job("web-1"), job("DB-9", job_type="restore")])
    assert names(page, "running") == ["db-1", "db-2", "db-3"]
    expect(page.get_by_label("Search by machine or job id")).to_have_value("db")
    page.get_by_role("button", name="Clear filters").click()
    stage.pass_time(0.1)
    expect(page.locator("#running tbody.job")).to_have_count(5)
    assert page.url == f"{ORIGIN}/#/?sort=bytes&order=asc"


def test_finished_jobs_are_ordered_by_just_what_the_hub_orders_all_of_its_own_by(stage: Stage, page: Page):
    jobs = [finished(number, bytes_transferred=size * GIB) for number, size in ((1, 5), (2, 9), (3, 7))]
    stage.pages = [[finished(9, bytes_transferred=8 * GIB)]]
    stage.open("/#/?sort=machine&order=desc")
    stage.greet([*jobs, job("a"), job("b")])
    assert names(page, "running") == ["b", "a"]
    assert names(page, "recent") == ["done-1", "done-2", "done-3"]
    headings = page.locator("#recent thead button")
    assert headings.all_inner_texts() == ["Copied", "Took", "Ended"]
    expect(page.locator("#recent th[aria-sort]")).to_have_count(0)
    for _ in "ascending", "descending":
        headings.first.click()
        stage.pass_time(0.1)
    assert names(page, "recent") == ["done-2", "done-3", "done-1"]
    page.get_by_role("button", name="Show older jobs").click()
    stage.until(lambda: names(page, "recent") == ["done-2", "done-9", "done-3", "done-1"])
    assert [(query["sort"], query["order"]) for query in stage.queries] == [("bytes", "desc")]


def test_an_order_by_changing_numbers_lets_rows_stand_for_a_while(stage: Stage, page: Page):
    stage.open("/#/?sort=speed&order=desc")
    stage.greet([job("slow", transfer_speed_bps=10), job("fast", transfer_speed_bps=20)])
    assert names(page, "running") == ["fast", "slow"]
    stage.say("changes", sequence=11, jobs=[job("slow", transfer_speed_bps=30, revision=2), job("new")])
    assert names(page, "running") == ["fast", "slow", "new"]
    stage.pass_time(6)
    assert names(page, "running") == ["new", "slow", "fast"]


def test_older_jobs_are_read_from_the_hub_page_by_page_as_asked_for(stage: Stage, page: Page):
    stage.pages = [[finished(1), finished(5)], [finished(9)]]
    stage.open("/#/?type=backup")
    stage.greet([finished(1)])
    page.get_by_role("button", name="Show older jobs").click()
    stage.until(lambda: names(page, "recent") == ["done-1", "done-5"])
    page.get_by_role("button", name="Show older jobs").click()
    stage.until(lambda: names(page, "recent") == ["done-1", "done-5", "done-9"])
    expect(page.locator("#recent .older")).to_have_text("There are no older ones.")
    assert [query.get("cursor") for query in stage.queries] == [None, "1"]
    asked = {"status": "completed,failed,cancelled", "sort": "completed", "order": "desc", "type": "backup"}
    assert stage.queries[0] == {**asked, "limit": "100"}


def test_a_search_finds_what_ended_long_ago_without_another_click(stage: Stage, page: Page):
    stage.pages = [[finished(5_000, vm_name="ancient-7")]]
    stage.open()
    stage.greet([job("web-01")])
    page.get_by_label("Search by machine or job id").fill("Ancient")
    stage.until(lambda: names(page, "recent") == ["ancient-7"])
    assert [query["q"] for query in stage.queries] == ["Ancient"]


def test_a_search_goes_on_over_pages_in_which_the_hub_has_found_nothing_yet(stage: Stage, page: Page):
    stage.pages = [[], [], [finished(5_000, vm_name="ancient-7")], [finished(6_000, vm_name="ancient-8")]]
    stage.open()
    stage.greet([job("web-01")])
    page.get_by_label("Search by machine or job id").fill("Ancient")
    stage.until(lambda: names(page, "recent") == ["ancient-7"])
    assert [query.get("cursor") for query in stage.queries] == [None, "1", "2"]


def test_a_range_leaves_out_what_ended_before_it_and_asks_for_no_more_than_that(stage: Stage, page: Page):
    stage.pages = [[finished(70), finished(5_000)], [finished(9_000)]]
    stage.open("/#/?range=24h")
    stage.greet([finished(1), finished(2_000)])
    stage.until(lambda: names(page, "recent") == ["done-1", "done-70"])
    expect(page.get_by_text("There are no older ones.")).to_be_visible()
    assert len(stage.queries) == 1


def test_filters_that_nothing_matches_say_so_and_offer_the_way_back(stage: Stage, page: Page):
    stage.open("/#/?q=nothing")
    stage.greet([job("web-01")])
    stage.until(lambda: page.locator("#no-match").count() == 1)
    expect(page.locator("#no-match")).to_contain_text("No job matches.")
    page.get_by_role("button", name="Show all jobs").click()
    stage.pass_time(0.1)
    expect(row(page, "web-01")).to_be_visible()
    assert page.url == f"{ORIGIN}/#/"


def test_failures_that_good_ends_pushed_off_the_feed_are_asked_for(stage: Stage, page: Page):
    failure = finished(600, status="failed", progress_percent=40.0)
    page.route(
        "**/api/v1/jobs?status=failed*", lambda route: route.fulfill(json={"jobs": [failure], "next": None})
    )
    stage.open()
    stage.greet([job("web-01")])
    stage.until(lambda: names(page, "attention") == ["done-600"])
    expect(page.locator("#summary")).to_contain_text("1 running, 0 stalled, 1 failed")


def test_of_a_thousand_jobs_those_near_the_screen_are_painted(stage: Stage, page: Page):
    stage.open()
    stage.greet([job(f"vm-{index:03}", error_message="odd" if index % 7 == 0 else None) for index in range(1_000)])
    expect(page.locator("#summary")).to_contain_text("1000 running")
    expect(page.get_by_role("table", name="Running")).to_have_attribute("aria-rowcount", "1001")
    assert page.locator("tbody.job").count() < 60
    assert names(page, "running")[0] == "vm-000"
    page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
    stage.until(lambda: "vm-500" in names(page, "running"))
    assert len(names(page, "running")) < 80
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    stage.until(lambda: names(page, "running")[-1] == "vm-999")
    expect(row(page, "vm-999").locator("tr").first).to_have_attribute("aria-rowindex", "1001")


def test_the_height_of_a_long_table_is_that_of_all_its_rows(stage: Stage, page: Page):
    stage.open()
    jobs = [job(f"vm-{index:03}", error_message="odd" if index % 3 == 0 else None) for index in range(200)]
    stage.greet(jobs)
    whole = page.locator("#running table").evaluate("(table) => table.offsetHeight")
    one = page.locator("#running tbody.job").nth(1).evaluate("(body) => body.getBoundingClientRect().height")
    stage.say("changes", sequence=11, jobs=[job("vm-200")])
    page.evaluate("scrollTo(0, 3000)")
    stage.pass_time(0.2)
    long = page.locator("#running table").evaluate("(table) => table.offsetHeight")
    assert abs(long - whole - one) < 12


def test_rows_are_walked_and_opened_by_keyboard(stage: Stage, page: Page):
    stage.open()
    stage.greet([job("a"), job("b"), job("c", status="stalled")])
    for key, name in (("j", "c"), ("j", "a"), ("j", "b"), ("j", "b"), ("k", "a")):
        page.keyboard.press(key)
        expect(page.get_by_role("link", name=name, exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    stage.pass_time(0.1)
    assert page.url == f"{ORIGIN}/#/job/a"
    page.keyboard.press("/")
    stage.pass_time(0.1)
    expect(page.get_by_label("Search by machine or job id")).to_be_focused()
    page.keyboard.type("jk?t")
    expect(page.get_by_label("Search by machine or job id")).to_have_value("jk?t")


def test_the_key_for_searching_is_not_lost_where_another_page_is_on_its_way(stage: Stage, page: Page):
    stage.open()
    stage.greet([job("a")])
    page.evaluate("""() => {
        location.hash = "#/job/a";
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "/", bubbles: true }));
    }""")
    stage.pass_time(0.1)
    expect(page.get_by_label("Search by machine or job id")).to_be_focused()


def test_the_keyboard_reaches_every_row_of_a_long_table(stage: Stage, page: Page):
    stage.open()
    stage.greet([job(f"vm-{index:03}") for index in range(300)])
    for _ in range(120):
        page.keyboard.press("j")
        stage.pass_time(0.02)
    expect(page.get_by_role("link", name="vm-119", exact=True)).to_be_focused()
    expect(page.get_by_role("link", name="vm-119", exact=True)).to_be_in_viewport()


def test_a_question_mark_tells_the_keys(stage: Stage, page: Page):
    stage.open()
    stage.greet([job("a")])
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("next row")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_theme_follows_the_system_until_another_is_chosen_and_remembered(stage: Stage, page: Page):
    stage.open()
    stage.greet([job("a")])
    html = page.locator("html")
    expect(html).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Light").click()
    expect(html).to_have_attribute("data-theme", "light")
    page.reload()
    expect(html).to_have_attribute("data-theme", "light")
    stage.pass_time(0.1)
    page.keyboard.press("t")
    expect(html).to_have_attribute("data-theme", "dark")
    page.emulate_media(color_scheme="light")
    expect(html).to_have_attribute("data-theme", "light")


def test_another_theme_changes_colours_and_leaves_the_page_as_it_is(stage: Stage, page: Page):
    Paper(page, "/api/v1/jobs/a/samples", {
        "job_id": "a", "step_seconds": 5.0, "gaps": [],
        "samples": [
            {"at": at(5 * step - 300), "attempt": 1, "bytes_transferred": step * GIB, "transfer_speed_bps": 2**28,
             "current_phase": "transferring"} for step in range(60)
        ],
    })  # fmt: skip
    stage.open("/#/job/a")
    stage.greet([job("a")])
    chart = page.locator(".chart canvas")
    # How many points of the canvas have just the colour of a running job's line.
    count = """(canvas, colour) => {
        const apart = new OffscreenCanvas(canvas.width, canvas.height);
        const copy = apart.getContext("2d", { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
        let found = 0;
        for (let at = 0; at < data.length; at += 4)
            found += colour.every((part, index) => Math.abs(data[at + index] - part) <= 1) && data[at + 3] === 255;
        return found;
    }"""
    dark, light = [0x5B, 0x9B, 0xE6], [0x2F, 0x74, 0xC0]
    stage.until(lambda: chart.count() == 1 and chart.evaluate(count, dark) > 50)
    chart.evaluate("(canvas) => { canvas.isTheSame = true; }")
    page.keyboard.press("t")
    stage.until(lambda: chart.evaluate(count, light) > 50)
    assert chart.evaluate(count, dark) == 0
    assert chart.evaluate("(canvas) => canvas.isTheSame")
    mark = page.locator(".u-legend .u-marker").last
    assert mark.evaluate("(mark) => getComputedStyle(mark).borderTopColor") == f"rgb({', '.join(map(str, light))})"


def test_title_and_icon_carry_the_number_of_failures(stage: Stage, page: Page):
    icon = page.locator("link[rel=icon]")
    stage.open()
    stage.greet([job("a")])
    assert page.title() == "1 running · Sendense"
    assert ">!<" not in (icon.get_attribute("href") or "")
    failed = [job(f"f{index}", status="failed", completed_at=at(-60)) for index in range(12)]
    stage.say("changes", sequence=11, jobs=failed)
    assert page.title() == "12 failed · Sendense"
    assert "%3E12%3C" in (icon.get_attribute("href") or "")


def test_an_alarm_of_the_hubs_is_shown_for_as_long_as_it_is_open(stage: Stage, page: Page):
    stage.open()
    stage.greet([job("a")])
    alarm = {
        "kind": "mass_silence",
        "since": at(-90),
        "raised_by": "hub-b",
        "detail": "5 of 6 active jobs are silent",
    }
    stage.say("tick", time=at(), ready=True, alarms=[alarm])
    expect(page.locator(".notice.alarm")).to_have_text(
        "Many jobs fell silent together since 03:12:37: 5 of 6 active jobs are silent (raised by hub hub-b)"
    )
    stage.tick()
    expect(page.locator(".notice.alarm")).to_have_count(0)


def test_bars_of_old_numbers_are_grey_and_hatched(stage: Stage, page: Page):
    stage.open()
    stage.greet([job("a")])
    bar = row(page, "a").locator(".bar")
    assert "repeating" not in bar.evaluate("(bar) => getComputedStyle(bar).backgroundImage")
    stage.hang_up()
    assert "repeating-linear-gradient" in bar.evaluate("(bar) => getComputedStyle(bar).backgroundImage")


def test_an_empty_hub_that_asks_for_tokens_tells_how_to_make_one(stage: Stage, page: Page):
    stage.open()
    stage.greet()
    expect(page.locator("#empty code").first).to_have_text(
        "sendensed token create NAME --role push --output NAME.token"
    )
    expect(page.locator("#empty code").last).to_have_text(
        f"clientd run --job-id backup-demo --disk SOURCE=TARGET --hub {ORIGIN} --token-file NAME.token"
    )
