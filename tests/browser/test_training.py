"""A run as an admin meets it: watched live until it ends, read, saved, and gone on from."""

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from sqlalchemy import select

from app.db.session import read_session
from app.maps.drawing import draw_sketch
from app.maps.map_files import MAP, find_map, publish_map
from app.models import SessionItem, TrainingRun, Version, utc_now
from app.training.pipeline import steps as loop
from app.training.runs import live
from tests.browser.conftest import Served, new_context
from tests.conftest import make_user
from tests.training.conftest import N_CLASSES, embedded_project, label

pytestmark = pytest.mark.browser

RUN = "/projects/letters/training/runs/1"
STEPS = dict(loop.STEPS)


def queued_run() -> int:
    with read_session() as db:
        return db.scalars(select(TrainingRun.id)).one()


def draw_maps() -> None:
    """Two principal components do for a map here."""
    with read_session() as db:
        versions = db.scalars(select(Version.id)).all()
    for version_id in versions:
        draw_sketch(version_id)
        with read_session() as db:
            drawn = find_map(db, version_id)[1]
        publish_map(version_id, drawn, MAP, utc_now())


def test_a_run_is_watched_live_until_it_ends_and_its_plots_lead_on(
    served: Served, context: BrowserContext, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SECONDS_BETWEEN", 0.1)
    ada = make_user("ada", "admin")
    project = embedded_project(noise=0.25)
    label(project, ada, range(60))
    served.login(context, ada)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(served.url)))

    # What happens after the page was made and before its first event is not missed either.
    def collect_first(route: Route) -> None:
        STEPS["collect"](queued_run())
        route.continue_()

    page.route(f"**{RUN}/live", collect_first)

    # One button; then the run's page, which follows it automatically.
    page.goto(f"{served.url}/projects/letters/training")
    page.get_by_role("button", name="Start a run").click()
    expect(page.locator(".training-log")).to_contain_text("Learning from 60 labeled records")
    expect(page.locator("#dataset")).to_contain_text("320, 320 of them embedded")
    run_id = queued_run()
    STEPS["tune"](run_id)
    expect(page.locator(".training-stages li.is-next")).to_contain_text("Train")
    expect(page.locator("[data-live-progress]")).to_be_visible()
    for stage in ("evaluate", "reindex", "activate"):
        STEPS[stage](run_id)
    expect(page.get_by_role("heading", name="Yes, this run helped.")).to_be_visible()
    expect(page.locator("[data-live]")).to_have_count(0)
    assert asked.count(f"{RUN}/live") == 1
    assert asked.count(RUN) < 30  # Not every second: once for the page, once for each thing new.

    # Every plot, one of them saved as PNG.
    page.get_by_role("link", name="Raw versus tuned").click()
    for name in ("top_k", "top_1k", "top_1k_by_label", "labels", "calibration", "confusion"):
        expect(page.locator(f"#plot-{name}")).to_be_visible()
    summary = page.locator("#plot-top_k > svg").get_attribute("aria-label") or ""
    assert summary.startswith("Precision@k by depth. Precision@k: at k = 5 raw ")
    with page.expect_download() as saved:
        page.locator("#plot-top_k").get_by_role("button", name="PNG").click()
    assert saved.value.suggested_filename == "run-1-top_k.png"
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    size = page.locator("#plot-top_k .plot-words").first.bounding_box()
    assert size is not None
    assert size["height"] >= 10

    # The map before and after, side by side and as a slider, names in the middle of their records.
    page.set_viewport_size({"width": 1280, "height": 800})
    page.get_by_role("link", name="On the map").click()
    expect(page.locator("#on-the-map")).to_contain_text("It will appear here automatically.")
    draw_maps()
    expect(page.locator("#before-after")).to_have_attribute("data-state", "ready")
    expect(page.locator(".map-over text")).to_have_count(2 * N_CLASSES)
    page.get_by_role("button", name="Side by side").click()
    expect(page.locator(".map-over text")).to_have_count(N_CLASSES)
    tuned = page.locator(".map-over text").first.get_attribute("x")
    page.get_by_role("slider").press("Home")
    expect(page.locator(".map-over text").first).not_to_have_attribute("x", tuned or "")
    with page.expect_download() as saved:
        page.locator("#before-after").get_by_role("button", name="PNG").click()
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")

    # A cell of the confusion matrix opens a session of those records.
    cell = page.locator(".confusion .is-right form").first
    ids = (cell.locator("[name=record_ids]").get_attribute("value") or "").split(",")
    cell.get_by_role("button").click()
    page.wait_for_url("**/sessions/*")
    with read_session() as db:
        places = select(SessionItem.record_id).order_by(SessionItem.rank)
        assert [str(i) for i in db.scalars(places)] == ids


def test_without_events_the_page_polls_and_without_scripts_all_is_there(
    chromium: Browser, served: Served, context: BrowserContext, page: Page
) -> None:
    ada = make_user("ada", "admin")
    project = embedded_project(noise=0.25)
    label(project, ada, range(40))
    served.login(context, ada)
    context.route("**/live", lambda route: route.abort())

    page.goto(f"{served.url}/projects/letters/training")
    page.get_by_role("button", name="Start a run").click()
    expect(page.get_by_role("heading", name="Run 1 queued")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Run 1 cancelled")).to_be_visible()
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("heading", name="Run 1 queued")).to_be_visible()
    run_id = queued_run()
    for step in STEPS.values():
        step(run_id)
    expect(page.get_by_role("heading", name="Yes, this run helped.")).to_be_visible()

    bare = new_context(chromium, java_script_enabled=False)
    served.login(bare, ada)
    plain = bare.new_page()
    plain.goto(f"{served.url}{RUN}/figures")
    expect(plain.locator("#plot-top_k")).to_be_visible()
    expect(plain.get_by_role("button", name="PNG")).to_have_count(0)
    plain.locator(".confusion .is-right form button").first.click()
    expect(plain).to_have_url(f"{served.url}/projects/letters/sessions/1")
    bare.close()
