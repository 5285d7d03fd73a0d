"""Likewise installed from a wheel, in a folder that holds nothing of the repository."""

import json
import os
import re
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import pytest

from app.resources import resource_folder

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
RESOURCES = ("templates", "static", "migrations")


def pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *words]
    subprocess.run(command, check=True, cwd=ROOT)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), ".")
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


@pytest.fixture
def elsewhere(installed: Path, tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """An empty folder, and an environment in which Python finds the wheel's code first."""
    data = tmp_path / "data"
    environment = os.environ | {
        "PYTHONPATH": str(installed),
        "LIKEWISE_DATA_DIR": str(data),
        "LIKEWISE_DATABASE_URL": f"sqlite:///{data / 'likewise.sqlite3'}",
    }
    folder = tmp_path / "empty"
    folder.mkdir()
    yield folder, environment
    assert list(folder.iterdir()) == []


def files_under(folder: Path) -> set[str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder).as_posix() for path in files}


def test_a_checkout_has_its_files_beside_the_code() -> None:
    assert [resource_folder(name) for name in RESOURCES] == [ROOT / name for name in RESOURCES]
    assert all(resource_folder(name).is_dir() for name in RESOURCES)


def test_a_wheel_has_the_code_its_files_and_the_licenses(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        [metadata] = [name for name in names if name.endswith(".dist-info/METADATA")]
        fields = Parser().parsestr(opened.read(metadata).decode())
        licensed = opened.read(f"{Path(metadata).parent}/licenses/LICENSE")

    for name in RESOURCES:
        there = {each.removeprefix(f"app/_data/{name}/") for each in names if f"/{name}/" in each}
        assert files_under(ROOT / name) <= there, name
    assert {f"app/{each}" for each in files_under(ROOT / "app")} <= names
    assert {each.split("/")[0] for each in names} == {"app", Path(metadata).parent.name}
    assert fields["License-Expression"] == "Apache-2.0"
    assert fields.get_all("License-File") == ["LICENSE", "NOTICE"]
    assert licensed == (ROOT / "LICENSE").read_bytes()


def test_every_vendored_part_is_named_in_the_notice() -> None:
    notice = (ROOT / "NOTICE").read_text()
    licenses = sorted((ROOT / "static/vendor/licenses").iterdir())

    assert len(licenses) >= 3
    assert [
        each.name for each in licenses if f"static/vendor/licenses/{each.name}" not in notice
    ] == []


def test_an_installed_wheel_is_sound_and_serves(elsewhere: tuple[Path, dict[str, str]]) -> None:
    folder, environment = elsewhere
    where = subprocess.check_output(
        [sys.executable, "-c", "import app; print(app.__file__)"],
        cwd=folder,
        env=environment,
        text=True,
    )
    server = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--no-worker", "--port", "0", "--json"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        url = json.loads(server.stdout.readline())["url"]
        with urllib.request.urlopen(f"{url}/login") as answer:
            page = answer.read().decode()
        sheet = re.search(r'href="(/static/app\.css\?v=\w+)"', page)
        assert sheet is not None
        with urllib.request.urlopen(url + sheet[1]) as answer:
            served = answer.read()
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()
    checked = subprocess.run(
        [sys.executable, "-m", "app.cli", "doctor", "--json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert where.startswith(environment["PYTHONPATH"])
    assert served == (ROOT / "static/app.css").read_bytes()
    assert (checked.returncode, checked.stderr) == (0, "")
    assert {each["name"] for each in json.loads(checked.stdout)} >= {"database", "installation"}
