"""A large project on a map, opened in Chromium; a part of map.py.

The project is made straight in the database: its records have short texts, and lie in eight clouds.
"""

import multiprocessing
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import sync_playwright

LIKEWISE = str(Path(sys.executable).parent / "likewise")
OPENED = 5
FRAMES = 40
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PAN = """async (n) => {
  const canvas = document.getElementById("map-canvas");
  const frame = () => new Promise((then) => requestAnimationFrame(then));
  const times = [];
  let before = await frame();
  for (let i = 0; i < n; i += 1) {
    const key = i % 2 ? "ArrowLeft" : "ArrowRight";
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    const now = await frame();
    times.push(now - before);
    before = now;
  }
  return times;
}"""
PAINTED = "() => new Promise((t) => requestAnimationFrame(() => requestAnimationFrame(t)))"


def furnish(n: int) -> str:
    """Return a project of n records on a map, half of them labeled; returns the token of a
    login."""
    from sqlalchemy import insert

    from app.accounts.access import hash_token
    from app.db import schema
    from app.db.session import write_session
    from app.maps.map_files import MAP, Map, publish_map
    from app.models import Consensus, Embedding, Login, Record, User, UserAction, utc_now
    from app.projects.labels import add_label
    from app.projects.projects import create_project
    from app.search.versions import get_or_create_raw_version

    schema.upgrade()
    rng = np.random.default_rng(0)
    ids = np.arange(1, n + 1)
    with write_session() as db:
        user = User(name="ada", name_key="ada", role="admin")
        db.add(user)
        db.flush()
        db.add(Login(token_hash=hash_token("bench"), user_id=user.id))
        project = create_project(db, "Map", by=user)
        encoder = get_or_create_raw_version(db, project)
        labels = [add_label(db, project.id, f"label {i}", None).id for i in range(8)]
        action = UserAction(project_id=project.id, user_id=user.id, kind="label", key="all")
        db.add(action)
        db.flush()
        of_record = [
            {
                "project_id": project.id,
                "external_id": f"r{i}",
                "content_hash": f"{i:064x}",
                "text": f"Record {i} of a large project.",
                "fields": {},
            }
            for i in ids.tolist()
        ]
        db.execute(insert(Record), of_record)
        vector = np.ones(8, "<f4").tobytes()
        of_vector = [
            {
                "version_id": encoder.id,
                "record_id": i,
                "content_hash": f"{i:064x}",
                "vector": vector,
            }
            for i in ids.tolist()
        ]
        db.execute(insert(Embedding), of_vector)
        of_label = [
            {
                "project_id": project.id,
                "record_id": i,
                "label_id": labels[i % 8],
                "action_id": action.id,
            }
            for i in ids[::2].tolist()
        ]
        db.execute(insert(Consensus), of_label)
    publish_map(encoder.id, Map(ids, scattered(rng, n), n), MAP, utc_now())
    return "bench"


def scattered(rng: np.random.Generator, n: int) -> NDArray[np.float32]:
    """Eight clouds in the square."""
    centres = rng.uniform(-0.7, 0.7, (8, 2))
    points = centres[np.arange(n) % 8] + 0.08 * rng.normal(size=(n, 2))
    return np.clip(points, -1, 1).astype(np.float32)


def opened(n: int) -> dict[str, Any]:
    """Seconds until all points are painted, and milliseconds of a frame while one moves."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LIKEWISE_DATA_DIR"] = folder
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, context) as process:
            token = process.submit(furnish, n).result()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        server = subprocess.Popen([LIKEWISE, "serve", "--port", str(port), "--no-worker"])
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=CHROMIUM, args=["--no-sandbox"]
                )
                shown = [open_once(browser, port, token) for _ in range(OPENED + 1)][1:]
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
    frames = [each for _, times in shown for each in times]
    return {
        "records": n,
        "vectors": "-",
        "method": "open",
        "n": OPENED,
        "open_seconds": round(statistics.median(seconds for seconds, _ in shown), 2),
        "frame_ms_p50": round(statistics.median(frames), 1),
        "frame_ms_p95": round(statistics.quantiles(frames, n=20)[18], 1),
    }


def open_once(browser: Any, port: int, token: str) -> tuple[float, list[float]]:
    """In a new profile, so that nothing is at hand but what the server has open."""
    address = f"http://127.0.0.1:{port}"
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_cookies([{"name": "likewise", "value": token, "url": address}])
    page = context.new_page()
    for _ in range(300):
        try:
            page.goto(f"{address}/health")
            break
        except Exception:  # Playwright has one class for all; the server is still starting.
            time.sleep(0.2)
    began = time.perf_counter()
    page.goto(f"{address}/projects/map/map")
    page.locator("#map[data-state=ready]").wait_for()
    page.evaluate(PAINTED)
    seconds = time.perf_counter() - began
    times: list[float] = page.evaluate(PAN, FRAMES)
    context.close()
    return seconds, times
