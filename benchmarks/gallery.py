"""Pictures of the main pages for docs/gallery.md, in docs/pictures/gallery.

usage: gallery.py [--data FOLDER]

Loads the sample project into a data folder (a new one, unless one is named), lets three people
label in it, waits for the worker to tune and to draw the maps, and takes the pictures in GALLERY.
"""

import argparse
import io
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from PIL import Image
from playwright.sync_api import FilePayload, Page, expect, sync_playwright
from results_store import ROOT

LIKEWISE = str(Path(sys.executable).parent / "likewise")
PICTURES = ROOT / "docs" / "pictures" / "gallery"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
Scheme = Literal["light", "dark"]
SIZES = {"wide": (1280, 860), "phone": (390, 844)}
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
TABLE = b"ticket,subject,body,kind\n81,Parcel,It never came,delivery\n82,Thanks,All is well now,\n"
QUALITY = 72
# Milliseconds: a text that is tried waits for its encoder.
PATIENCE = 300_000
# As wide as they stand in docs/gallery.md.
WIDTHS = {"wide": 640, "phone": 200}
# Title, size and scheme of each picture that is kept.
GALLERY: tuple[tuple[str, str, Scheme], ...] = (
    ("Overview", "wide", "light"),
    ("A session", "wide", "light"),
    ("A session", "phone", "dark"),
    ("A record", "wide", "light"),
    ("Records", "wide", "dark"),
    ("The map", "wide", "light"),
    ("Progress", "wide", "light"),
    ("A run", "wide", "light"),
    ("Raw against tuned", "wide", "dark"),
    ("Labels", "phone", "light"),
)
CAPTIONS = {
    "Overview": "A project's status: records, labels, active version, and what to do next.",
    "A session": "Similar records with their suggestions. One key labels a record, and open rows "
    "are re-ranked as you label.",
    "A record": "Votes, fields and comments, and the nearest neighbours before and after tuning.",
    "Records": "Search by words, by meaning or both, with filters and bulk actions.",
    "The map": "All records on a plane: nearby records are similar, colours are labels.",
    "Progress": "Labeled records over time, and the speed of each kind of session.",
    "A run": "Whether the run helped, by how much, for which labels, and how certain that is.",
    "Raw against tuned": "The plots of a run, such as precision@k and R-precision.",
    "Labels": "The label set: rename, merge, retire and restore.",
}


def pages(project: str, session: int, record: int, mapping: str) -> dict[str, str]:
    """Title → address, in the order in which one meets them."""
    root = f"/projects/{project}"
    sessions = f"{root}/sessions/{session}"
    return {
        "Projects": "/",
        "Overview": root,
        "Sessions": f"{root}/sessions",
        "A session": sessions,
        "A session, card by card": f"{sessions}?view=card",
        "The keys": f"{sessions}?press=%3F",
        "Finding a label": f"{sessions}?press=l",
        "Records": f"{root}/records",
        "Records like a word": f"{root}/records?q=refund",
        "A record": f"{root}/records/{record}",
        "Many records at once": f"{root}/records/bulk?do=flag&record_ids=1&record_ids=2",
        "The map": f"{root}/map",
        "Progress": f"{root}/progress",
        "Training": f"{root}/training",
        "A run": f"{root}/training/runs/2",
        "Raw against tuned": f"{root}/training/runs/2/figures",
        "Versions": f"{root}/versions",
        "Two versions side by side": f"{root}/versions/compare?a=1&b=2",
        "A text to try": f"{root}/versions/try?text=where+is+my+refund",
        "Labels": f"{root}/labels",
        "Import": f"{root}/imports",
        "What is in a file": mapping,
        "Export": f"{root}/exports",
        "Notices": "/notifications",
        "What a project announces": f"{root}/notifications",
        "Users": "/users",
        "Your settings": "/me",
        "A page that is not there": f"{root}/nothing-here",
    }


def take_pictures(port: int) -> None:
    """Take every picture of the gallery."""
    # Loaded here: it reads the settings, which main() points at the data folder first.
    from gallery_project import prepare_gallery

    stage = prepare_gallery()
    address = f"http://127.0.0.1:{port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        login = logged_in(stage.people["ada"].id)
        clerk = browser.new_context()
        clerk.add_cookies([{"name": "likewise", "value": login, "url": address}])
        # The first text that is searched for loads the encoder: no page shall be seen waiting.
        words = f"{address}/api/v1/projects/{stage.project.slug}/similar?text=refund&k=1"
        clerk.request.get(words, timeout=PATIENCE)
        mapping = uploaded(clerk.new_page(), address, stage.project.slug)
        shown = pages(stage.project.slug, stage.session.id, stage.record_id, mapping)
        for size, scheme in ((size, scheme) for size in SIZES for scheme in SCHEMES):
            width, height = SIZES[size]
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                reduced_motion="reduce",
            )
            page = context.new_page()
            context.add_cookies([{"name": "likewise", "value": login, "url": address}])
            for title in [t for t, *look in GALLERY if look == [size, scheme]]:
                show(page, address + shown[title])
                store_results(page, title, size, scheme)
            context.close()
        browser.close()


def logged_in(user_id: int) -> str:
    """Return the cookie of a new login."""
    from app.accounts.access import hash_token
    from app.db.session import write_session
    from app.models import Login

    token = uuid.uuid4().hex
    with write_session() as db:
        db.add(Login(token_hash=hash_token(token), user_id=user_id))
    return token


def uploaded(page: Page, address: str, project: str) -> str:
    """Return the address at which a file waits to be mapped."""
    page.goto(f"{address}/projects/{project}/imports")
    table: FilePayload = {"name": "tickets.csv", "mimeType": "text/csv", "buffer": TABLE}
    page.locator("input[type=file]").first.set_input_files(table)
    page.get_by_role("button", name="Upload").first.click()
    page.wait_for_url("**/imports/*")
    return page.url.removeprefix(address)


def show(page: Page, address: str) -> None:
    """Open it; `press=` names a key to press then."""
    address, _, key = address.partition("?press=")
    answer = page.goto(address)
    if answer is None or answer.status >= 500:
        raise SystemExit(f"{address} does not answer: see the server's log in the data folder.")
    expect(page.locator(".htmx-request")).to_have_count(0, timeout=PATIENCE)
    if key:
        expect(page.locator("#row-0")).to_be_visible(timeout=PATIENCE)
        page.keyboard.press(unquote(key))
        expect(page.locator("dialog[open]")).to_be_visible(timeout=PATIENCE)
    # Pictures of the map and of fonts come a moment after the page.
    page.wait_for_timeout(600)


def store_results(page: Page, title: str, size: str, scheme: str) -> None:
    """One picture, small."""
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").save(PICTURES / name_of(title, size, scheme), quality=QUALITY, method=6)


def name_of(title: str, size: str, scheme: str) -> str:
    """Return the picture's file."""
    return f"{re.sub('[^a-z0-9]+', '-', title.lower()).strip('-')}-{size}-{scheme}.webp"


def write_page() -> None:
    """Write docs/gallery.md."""
    lines = [
        "# Gallery",
        "",
        "The main pages with the sample project, labeled by three people, at 1280 and 390 pixels, "
        "in light and dark. `make pictures` takes the pictures again.",
    ]
    for title in dict.fromkeys(title for title, *_ in GALLERY):
        cells = (
            f'<img src="pictures/gallery/{name_of(title, size, scheme)}" '
            f'width="{WIDTHS[size]}" alt="{title}, {size}, {scheme}">'
            for named, size, scheme in GALLERY
            if named == title
        )
        lines += ["", f"## {title}", "", CAPTIONS[title], "", *cells]
    (ROOT / "docs" / "gallery.md").write_text("\n".join(lines) + "\n")


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """Return the product with its worker on this folder; the port."""
    subprocess.run([LIKEWISE, "demo", "--no-wait"], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    log = folder / "server.log"
    with log.open("w") as out:
        server = subprocess.Popen([LIKEWISE, "serve", "--port", str(port)], stdout=out, stderr=out)
    try:
        while "ready" not in log.read_text():
            if server.poll() is not None:
                raise SystemExit(log.read_text())
            time.sleep(0.2)
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    folder = parser.parse_args().data or Path(tempfile.mkdtemp(prefix="gallery-"))
    os.environ["LIKEWISE_DATA_DIR"] = str(folder)
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob("*.webp"):
        old.unlink()
    with served(folder) as port:
        take_pictures(port)
    write_page()
    n_bytes = sum(path.stat().st_size for path in PICTURES.iterdir())
    print(f"{len(GALLERY)} pictures, {n_bytes / 1e6:.1f} MB in {PICTURES.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
