"""A newcomer's first minutes, in a browser, with the real base model and the sample project."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.projects.sample import sample_messages
from tests.browser.whole import LIKEWISE, serving

pytestmark = pytest.mark.browser

PROJECT = "/projects/sample-customer-messages"
API = f"/api/v1{PROJECT}"
# The worker gives way to everything else that runs on the machine.
AGES = 3600 * 1000
N_LABELS = 25


@pytest.fixture
def first_link(database: str, tmp_path: Path) -> Iterator[str]:
    """What `make run` does after the installation; the link that it prints."""
    subprocess.run([LIKEWISE, "demo", "--no-wait"], check=True)
    with serving(tmp_path) as link:
        yield link


class Newcomer:
    """A person at a browser who reads the messages and knows what they are about."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.intents = {message.external_id: message.intent for message in sample_messages()}

    def json(self, path: str) -> Any:
        return self.page.request.get(self.address + path).json()

    def key_of(self, intent: str) -> str:
        legend = self.page.locator("button[data-label]", has_text=intent)
        return legend.locator("kbd").inner_text()

    def label_session(self) -> None:
        """One key for each row; the next row is focused by itself."""
        for rank in range(N_LABELS):
            row = self.page.locator(f"#row-{rank}")
            expect(row).to_be_focused()
            self.page.keyboard.press(
                self.key_of(self.intents[row.locator(".about a").first.inner_text()])
            )
        for rank in range(N_LABELS):
            expect(self.page.locator(f"#row-{rank}")).to_have_attribute("data-state", "saved")

    def purity(self, version: int) -> float:
        """The mean share of the labeled records' 50 nearest neighbours that are of their intent."""
        labeled = self.json(f"{API}/records?state=labeled&limit=100")["records"]
        shares = []
        for record in labeled:
            query = f"{API}/similar?record={record['id']}&k=50&version={version}"
            near = [self.intents[each["external_id"]] for each in self.json(query)["results"]]
            shares.append(near.count(self.intents[record["external_id"]]) / len(near))
        assert len(shares) == N_LABELS
        return sum(shares) / len(shares)


def become_admin(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password", exact=True).fill("correct horse battery staple")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Sample: customer messages").first.click()


def test_a_newcomer_labels_25_messages_and_the_next_session_is_purer(
    page: Page, first_link: str
) -> None:
    newcomer = Newcomer(page, first_link.partition("/welcome")[0])
    become_admin(page, first_link)
    expect(page.locator("#next-action")).to_have_text("Start labeling", timeout=AGES)
    page.locator("#next-action").click()
    newcomer.label_session()

    page.goto(newcomer.address + PROJECT + "/training")
    # The page follows the run by itself, and loads itself anew when it has ended: no second reload
    # from here, which would meet the page's own.
    run_row = page.locator("#runs tr").filter(has_text="Run 1")
    expect(run_row).to_contain_text("succeeded", timeout=AGES)

    run = newcomer.json(f"{API}/runs/1")
    assert (run["status"], run["n_examples"]) == ("succeeded", N_LABELS)
    versions = newcomer.json(f"{API}/versions")
    assert [version["kind"] for version in versions if version["is_active"]] == ["head"]

    raw, tuned = newcomer.purity(1), newcomer.purity(2)
    assert tuned > raw + 0.05

    page.goto(newcomer.address + PROJECT)
    expect(page.locator("#next-action")).to_be_visible()
    page.locator("#next-action").click()
    expect(page.locator("#row-1 .suggestion")).to_be_visible()
