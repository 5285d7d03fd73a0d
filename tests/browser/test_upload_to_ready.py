"""From a file with labels to a tuned version that is looked at, taken away and tried.

The file here has few records; with the real intents of ATIS beside the repository the same walk is
taken over all of them, with the real base model.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.whole import serving
from tests.conftest import SHARED
from tests.tiny_encoder import save_tiny_encoder

pytestmark = pytest.mark.browser

# The worker gives way to everything else that runs on the machine.
AGES = 900 * 1000
ATIS = SHARED / "data" / "atis" / "intents.csv"
KINDS = {
    "flight": ("flights from boston denver leave morning", 70),
    "airfare": ("cheapest fare round trip dollars ticket", 50),
    "aircraft": ("kind aircraft plane type used seats", 40),
    "day_name": ("what day weekday does it", 3),
}


def few_records(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = ["query,intent"]
    for intent, (words, n) in KINDS.items():
        for i in range(n):
            said = " ".join(rng.choice(words.split(), 4))
            lines.append(f"{said} {intent[0]}{i},{intent}")
    path = folder / "few.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def link(database: str, tmp_path: Path) -> Iterator[str]:
    """A served application with a worker, and the first admin's one-time link."""
    with serving(tmp_path) as link:
        yield link


def drawn(page: Page, address: str) -> set[int]:
    """The versions whose maps are there: the worker draws them after all else."""
    header = page.request.get(f"{address}/api/v1/projects/flights/map").json()
    return {each["number"] for each in header.get("versions", [])}


def walk(
    page: Page, link: str, file: Path, *, text: str, intent: str, rare: tuple[str, ...] = ()
) -> None:
    """The whole way; `rare` are the labels that the file has too few records of."""
    address = link.partition("/welcome")[0]
    page.goto(link)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password", exact=True).fill("correct horse battery staple")
    page.keyboard.press("Enter")

    # Upload, preview, import; the report names what is too rare.
    page.locator(".new-project").get_by_label("Name").fill("Flights")
    page.locator(".new-project button").click()
    expect(page).to_have_url(re.compile("/projects/flights"))
    page.goto(f"{address}/projects/flights/notifications")
    page.get_by_label("Notify me when a run ends").check()
    page.locator("form[action$='/subscription'] button").click()
    page.goto(f"{address}/projects/flights/imports")
    page.set_input_files("input[type=file]", file)
    page.get_by_role("button", name="Upload and preview").click()
    expect(page.locator(".preview tbody tr").first).to_be_visible()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator(".badge", has_text="succeeded")).to_be_visible(timeout=AGES)
    tallied = page.locator(".label-tally li")
    expect(tallied.first).to_be_visible()
    told = page.get_by_text("than 5 records, too few to train on")
    expect(told).to_have_count(1 if rare else 0)
    expect(tallied.filter(has_text="rare")).to_have_count(len(rare))
    for name in rare:
        expect(tallied.filter(has_text="rare").filter(has_text=name)).to_have_count(1)

    # So many labels start a run by themselves; it is followed until it ends.
    page.goto(f"{address}/projects/flights/training")
    expect(page.get_by_role("link", name="Run 1").first).to_be_visible(timeout=AGES)
    page.goto(f"{address}/projects/flights/training/runs/1")
    expect(page.locator("h1 .badge", has_text="succeeded")).to_be_visible(timeout=AGES)
    expect(page.locator("h1 .is-good", has_text="active")).to_be_visible()
    expect(page.locator("#dataset")).to_contain_text("Labeled records used")
    expect(page.locator("#run svg").first).to_be_visible()

    # The notice leads to the run; from there to the plots, the map and the versions.
    page.goto(f"{address}/projects/flights")
    page.get_by_role("link", name=re.compile("Notifications 1 new")).click()
    page.get_by_role("link", name=re.compile("^Run 1:")).click()
    page.get_by_role("link", name="Raw versus tuned").click()
    expect(page.locator("figure svg").first).to_be_visible()
    while not {1, 2} <= drawn(page, address):
        page.wait_for_timeout(500)
    page.goto(f"{address}/projects/flights/map?before=1&after=2")
    expect(page.locator("#map-slide input")).to_be_visible()

    page.goto(f"{address}/projects/flights/versions/try")
    page.get_by_label("Text").fill(text)
    page.get_by_role("button", name="Try text").click()
    best = page.locator(".try-scores li").first
    expect(best).to_contain_text(intent, timeout=AGES)
    with page.expect_download() as taken:
        page.goto(f"{address}/projects/flights/versions")
        page.get_by_role("button", name="Download").last.click()
    assert taken.value.suggested_filename == "flights-version-2.zip"


def test_a_file_becomes_a_tuned_version_in_the_browser(
    page: Page,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path_factory.mktemp("flights")
    texts = [" ".join(words for words, _ in KINDS.values())]
    monkeypatch.setenv("LIKEWISE_BASE_MODEL", str(save_tiny_encoder(folder / "tiny", texts)))

    walk(
        page,
        request.getfixturevalue("link"),
        few_records(folder),
        text="cheapest ticket fare",
        intent="airfare",
        rare=("day_name",),
    )


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not ATIS.exists(), reason="The intents of ATIS are not part of the repository")
def test_atis_becomes_a_tuned_version_in_the_browser(page: Page, link: str) -> None:
    said = "how much is a ticket from boston to denver"
    walk(page, link, ATIS, text=said, intent="atis_airfare")
