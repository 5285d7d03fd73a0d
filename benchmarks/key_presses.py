"""From a key press to the next record on the screen, in Chromium, on an open session."""

import os
import time
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright
from prepared_project import COOKIE, ServedProject

from app.accounts.access import cookie_name

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SESSION = {"seed_kind": "random", "k": 1_000}
# From the press, as the browser dates it, until a frame with another focused row was painted.
WATCH = """() => {
  const focused = () => document.querySelector(".record-row[data-focused]");
  window.presses = [];
  addEventListener("keydown", (event) => {
    const before = focused();
    requestAnimationFrame(() => {
      const painted = new MessageChannel();
      painted.port1.onmessage = () => presses.push(
        [performance.now() - event.timeStamp, focused() !== before]);
      painted.port2.postMessage(0);
    });
  }, true);
}"""


def pressed(serving: ServedProject, n: int, pause_seconds: float) -> dict[str, Any]:
    """Milliseconds of n label keys; every one of them must have moved the focus and been saved."""
    session = serving.ask("POST", "/sessions", SESSION)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.add_cookies([{"name": cookie_name(), "value": COOKIE, "url": serving.address}])
        page = context.new_page()
        page.goto(serving.address + urlsplit(session["url"]).path)
        page.locator("#row-0").wait_for()
        times = _labeled(page, n, pause_seconds)
        page.locator(f'#row-{n - 1}[data-state="saved"]').wait_for(timeout=120_000)
        browser.close()
    decided = serving.ask("GET", f"/sessions/{session['id']}/items?limit=500")
    n_saved = sum(bool(row["verdict"]) for row in decided)
    return {"times": times, "n_saved": n_saved}


def _labeled(page: Page, n: int, pause_seconds: float) -> list[float]:
    page.evaluate(WATCH)
    for i in range(n):
        page.keyboard.press("1234"[i % 4])
        time.sleep(pause_seconds)
    presses = page.evaluate("presses")
    if not all(has_moved for _, has_moved in presses) or len(presses) != n:
        raise SystemExit(f"{len(presses)} of {n} presses were seen, or one did not move the focus.")
    return [ms for ms, _ in presses]
