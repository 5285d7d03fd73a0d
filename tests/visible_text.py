"""Print every text that a person can read, with the place it stands: `make words`."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
ATTRIBUTES = {"alt", "aria-label", "data-confirm", "placeholder", "summary", "title"}
SAMPLE = "sample_"  # The texts of the sample project are data.
SILENT = {"script", "style", "svg"}
_COMMENT = re.compile(r"\{#.*?#\}", re.S)
_EXPRESSION = re.compile(r"\{[{%].*?[%}]\}", re.S)
_LITERAL = re.compile(r"\"([^\"\\]*(?:\\.[^\"\\]*)*)\"|'([^'\\]*(?:\\.[^'\\]*)*)'")
_SCRIPT_LITERAL = re.compile(_LITERAL.pattern + r"|`([^`\\]*(?:\\.[^`\\]*)*)`")
_SCRIPT_COMMENT = re.compile(r"(?m:^\s*//[^\n]*$)|/\*.*?\*/", re.S)


class VisibleText(NamedTuple):
    """A text and where it stands."""

    file: str
    line: int
    text: str


class _TemplateParser(HTMLParser):
    """Text between tags, and in the attributes that are shown or read aloud."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str]] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        self._silent += tag in SILENT
        values = [value for name, value in attrs if name in ATTRIBUTES and value]
        self.found += [(self.getpos()[0], value) for value in values]

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        self._silent = max(0, self._silent - (tag in SILENT))

    def handle_data(self, data: str) -> None:
        """Take the text of an element."""
        if not self._silent:
            self.found.append((self.getpos()[0], data))


@lru_cache(maxsize=1)
def collect_visible_text() -> list[VisibleText]:
    """Every text of templates, scripts and modules that a person may be shown, in file order."""
    readers = (
        ("templates", "*.html", _read_template),
        ("static/js", "*.js", _read_script),
        ("app", "*.py", _read_module),
    )
    return [
        VisibleText(path.relative_to(ROOT).as_posix(), line, clean)
        for folder, pattern, read in readers
        for path in sorted((ROOT / folder).rglob(pattern))
        if not path.name.startswith(SAMPLE)
        for line, text in read(path.read_text())
        if _is_prose(clean := " ".join(text.split()))
    ]


def _is_prose(text: str) -> bool:
    return bool(re.search(r"[A-Za-z]{2}", text))


def _read_template(source: str) -> Iterator[tuple[int, str]]:
    bare = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), source)
    for expression in _EXPRESSION.finditer(bare):
        line = bare.count("\n", 0, expression.start()) + 1
        for literal in _LITERAL.finditer(expression[0]):
            if _reads_like_a_sentence(text := literal[1] or literal[2] or ""):
                yield line, text
    parser = _TemplateParser()
    parser.feed(_EXPRESSION.sub(lambda found: "…" + "\n" * found[0].count("\n"), bare))
    yield from parser.found


def _read_script(source: str) -> Iterator[tuple[int, str]]:
    bare = _SCRIPT_COMMENT.sub(lambda found: "\n" * found[0].count("\n"), source)
    for literal in _SCRIPT_LITERAL.finditer(bare):
        text = next((part for part in literal.groups() if part), "")
        if _reads_like_a_sentence(text):
            yield bare.count("\n", 0, literal.start()) + 1, text


def _read_module(source: str) -> Iterator[tuple[int, str]]:
    tree = ast.parse(source)
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in statements or id(node) in parts:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if _reads_like_a_sentence(text):
            yield node.lineno, text


def _reads_like_a_sentence(text: str) -> bool:
    """Names, keys, addresses, statements of SQL and patterns are not shown to anybody."""
    if text.startswith(("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "PRAGMA ")):
        return False
    words = re.findall(r"[A-Za-z]{2,}", text)
    return bool(words) and (" " in text.strip() or text[:1].isupper()) and not text.isupper()


if __name__ == "__main__":
    only = sys.argv[1:]
    for each in collect_visible_text():
        if not only or each.file.startswith(tuple(only)):
            print(f"{each.file}:{each.line}: {each.text}")
