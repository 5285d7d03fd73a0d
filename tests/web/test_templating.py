import hashlib
import re
from datetime import UTC, datetime, timedelta

import pytest

from app.resources import resource_folder
from app.web.static_files import STATIC, static_url
from app.web.templating import (
    format_age,
    format_duration,
    format_share,
    format_thousands,
    templates,
)

pytestmark = pytest.mark.once

TEMPLATES = resource_folder("templates")
LABELS = (STATIC / "css/labels.css").read_text()


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def colours(label: str) -> dict[str, list[str]]:
    block = re.search(rf"^\.{label} {{(.*?)^}}", LABELS, re.MULTILINE | re.DOTALL)
    assert block is not None
    found = re.findall(r"--(\w+): light-dark\((#\w{6}), (#\w{6})\)", block[1])
    return {name: [light, dark] for name, light, dark in found}


@pytest.mark.parametrize("label", [*(f"label-{i}" for i in range(20)), "label-none"])
@pytest.mark.parametrize("theme", [0, 1])
def test_label_colours_can_be_read_in_both_themes(label: str, theme: int) -> None:
    found = {name: pair[theme] for name, pair in colours(label).items()}

    assert contrast(found["ink"], found["tint"]) >= 7
    assert contrast(found["mark"], found["tint"]) >= 3


@pytest.mark.parametrize("theme", [0, 1])
def test_words_can_be_read_on_every_ground(theme: int) -> None:
    css = (STATIC / "app.css").read_text()
    found = re.findall(r"^  --([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", css, re.MULTILINE)
    of = {name: (light, dark)[theme] for name, light, dark in found}

    for ink in ("text", "soft", "accent", "good", "warn", "bad"):
        for ground in ("paper", "card", "sunk"):
            assert contrast(of[ink], of[ground]) >= 4.5, (ink, ground)
    assert contrast(of["on-accent"], of["accent"]) >= 4.5
    for state in ("good", "warn", "bad"):
        assert contrast(of[state], of[f"{state}-wash"]) >= 4.5, state


def test_vendored_files_are_what_was_vendored() -> None:
    vendor = STATIC / "vendor"
    lines = (vendor / "SHA256SUMS").read_text().splitlines()
    sums = {name: sha256 for sha256, name in (line.split() for line in lines)}

    files = {path.name for path in vendor.iterdir() if path.suffix in {".js", ".css", ".woff2"}}
    assert files == set(sums)
    for name, sha256 in sums.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == sha256, name


def test_the_sheet_asks_only_for_files_that_are_there() -> None:
    for sheet in ("app.css", *(f"css/{path.name}" for path in (STATIC / "css").glob("*.css"))):
        path = STATIC / sheet
        for asked in re.findall(r'url\("?([^")]+)"?\)', path.read_text()):
            assert asked.startswith("data:") or (path.parent / asked).is_file(), (sheet, asked)


def test_a_static_url_changes_with_the_content() -> None:
    sha256 = hashlib.sha256((STATIC / "app.css").read_bytes()).hexdigest()

    assert static_url("app.css") == f"/static/app.css?v={sha256[:12]}"


def test_numbers_and_times_read_like_words() -> None:
    now = datetime.now(UTC)

    assert format_share(0.6584) == "65.8 %"
    assert format_share(None) == "–"
    assert format_thousands(20000) == "20,000"
    assert [format_duration(s) for s in (None, 9.6, 95, 3725)] == [
        "–",
        "10 s",
        "1 min 35 s",
        "1 h 02 min",
    ]
    assert format_age(None) == "never"
    assert format_age(now) == "just now"
    assert format_age(now - timedelta(minutes=61)) == "1 hour ago"
    assert format_age(now - timedelta(days=3)) == "3 days ago"


def parts(call: str) -> str:
    source = f'{{% import "_parts.html" as parts %}}{{{{ parts.{call} }}}}'
    return templates.env.from_string(source).render()


def test_a_score_is_never_shown_without_its_n_k_and_interval() -> None:
    html = parts("score(0.658, 0.61, 0.7, 240, 1000)")

    assert ">65.8 %</span>" in html
    assert "61.0 % – 70.0 % · k = 1,000 · n = 240" in html
    assert 'width="65.8%"' in html


def test_names_of_labels_are_shown_as_text() -> None:
    html = parts('label_chip({"name": "<b>&", "colour": 3}, "1")')

    assert "&lt;b&gt;&amp;" in html
    assert 'class="chip label-3"' in html
    assert "<kbd>1</kbd>" in html
    assert "none of these" in parts("label_chip(none)")


def test_every_script_is_loaded_and_imports_only_what_is_exported() -> None:
    scripts = {path: path.read_text() for path in (STATIC / "js").rglob("*.js")}
    pages = "".join(path.read_text() for path in TEMPLATES.rglob("*.html"))
    loaded = {
        (STATIC / "js" / name).resolve()
        for name in re.findall(r"(?:module_url\('|static_url\('js/)([\w/]+\.js)'", pages)
    }
    for path, text in scripts.items():
        for names, source in re.findall(r'^import \{ (.+) \} from "(.+)";$', text, re.MULTILINE):
            module = (path.parent / source).resolve()
            loaded.add(module)
            exported = re.findall(r"^export const (\w+)", scripts[module], re.MULTILINE)
            assert set(names.split(", ")) <= set(exported), (path.name, source)

    assert loaded == {path.resolve() for path in scripts}
    classic = {path.name for path, text in scripts.items() if text.rstrip().endswith("})();")}
    assert classic == {"held_keys.js", "theme.js"}
