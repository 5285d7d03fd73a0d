"""Column mapping of a file."""

import re
from collections.abc import Mapping as Cells
from functools import cached_property
from typing import Any, Self

from pydantic import ConfigDict, Field, field_validator

from app.errors import Invalid
from app.exchange.imports.verdicts import find_answer_column
from app.web.schemas import StrictModel

JOIN = ". "
_HOLE = re.compile(r"\{([^{}]+)\}")
# What stands between two parts of a template and is of no use beside an empty one.
_JOINERS = " \t\r\n.,;:!?|/·•–—-"
_CLOSING = ")]}>\"'”’»"
# Names that say what a column is, the surest first; compared without case, spaces and underscores.
_IDS = ("id", "externalid", "uuid", "guid", "recordid", "key")
# Last words of a name, such as ticket_no, that say it where no two rows have the same value.
_NUMBERS = ("id", "no", "nr", "number")
_LABELS = (
    "label",
    "labels",
    "intent",
    "category",
    "class",
    "topic",
    "sentiment",
    "target",
    "tag",
    "tags",
)
_TEXTS = (
    "text",
    "message",
    "body",
    "content",
    "description",
    "query",
    "question",
    "utterance",
    "sentence",
    "comment",
    "review",
    "tweet",
    "abstract",
    "summary",
    "prompt",
    "input",
)
_TITLES = ("title", "headline", "subject", "heading")
# Columns that our exports add to id, text, label and the fields; not imported as fields.
OWN_COLUMNS = ("label_source", "suggestion", "suggestion_score", "vector")


class Mapping(StrictModel):
    """How a row becomes a record. Columns that are not named here are stored as fields.

    text_template    such as "{Title}. {Description}"; empty: the text columns joined by ". ".
                     What joins an empty part to the others is left out with it
    answer_column    in which an annotation tool says whether the label holds, such as Prodigy's
                     answer; None: found by its name and first values; empty: there is none
    label_separator  separates the labels of one cell in a multi-label project
    left_out         columns that are not kept
    encoding, delimiter  the user's choice; empty: detect
    """

    model_config = ConfigDict(frozen=True)

    text_columns: list[str] = Field(min_length=1)
    text_template: str = Field(default="", max_length=2000)
    id_column: str | None = None
    label_column: str | None = None
    answer_column: str | None = None
    label_separator: str = Field(default="", max_length=5)
    left_out: list[str] = Field(default=[])
    encoding: str = Field(default="", max_length=40)
    delimiter: str = Field(default="", max_length=1)

    @field_validator("*")
    @classmethod
    def refuse_nul(cls, value: Any) -> Any:
        """Refuse NUL characters, which Postgres cannot store."""
        if any("\0" in each for each in (value if isinstance(value, list) else [value or ""])):
            raise ValueError("must not contain NUL characters")
        return value

    def require_columns(self, columns: list[str]) -> Self:
        """Return self if the file has all named columns. Raises Invalid."""
        holes = _HOLE.findall(self.text_template)
        named = [*self.text_columns, self.id_column, self.label_column, *holes]
        for name in [*named, self.answer_column or None]:
            if name is not None and name not in columns:
                listed = ", ".join(columns[:20]) + (", …" if len(columns) > 20 else "")
                raise Invalid(f"The file has no column {name[:200]!r}. Columns: {listed}.")
        if self.text_template and not holes:
            raise Invalid(
                "The template names no column. Write a column name in braces, such as {title}."
            )
        if self.id_column is not None and self.id_column == self.label_column:
            raise Invalid("Choose different columns for the id and the label.")
        return self

    def compose_text(self, cells: Cells[str, str]) -> str:
        """Compose the record's text; `cells` holds the text columns and those of the template."""
        if self.text_template:
            has_any = any(cells.get(name, "").strip() for name in self.text_parts)
            return _fill_template(self.text_template, cells) if has_any else ""
        if len(self.text_columns) == 1:
            return cells.get(self.text_columns[0], "")
        parts = (cells.get(name, "").strip() for name in self.text_columns)
        return JOIN.join(part for part in parts if part)

    @cached_property
    def text_parts(self) -> list[str]:
        """All columns used in the text."""
        return list(dict.fromkeys([*self.text_columns, *_HOLE.findall(self.text_template)]))

    @cached_property
    def reserved_columns(self) -> set[str]:
        """Columns that are not stored as fields."""
        named = {*self.text_parts, self.id_column, self.label_column, *self.left_out}
        return {name for name in named if name is not None}


def _fill_template(template: str, cells: Cells[str, str]) -> str:
    """Fill the template with its columns' cells; an empty cell takes along what joins it to the
    next.

    Only column names are put in: a template is data, never a format string.
    """
    pieces = _HOLE.split(template)
    literals, values = pieces[::2], [cells.get(name, "") for name in pieces[1::2]]
    present = [at for at, value in enumerate(values) if value.strip()]
    text, last = "", -1
    for at in present:
        before = literals[at]
        if at > last + 1:
            before = before.lstrip(_CLOSING)
            before = before if text else before.lstrip(_JOINERS)
        text += before + values[at]
        last = at
    return text + literals[-1] if last == len(values) - 1 else text


def suggest_mapping(
    columns: list[str], rows: list[dict[str, Any]], *, is_multi_label: bool
) -> Mapping:
    """Suggest a mapping by the columns' names, or by their contents where names say nothing."""
    id_column = _find_by_name(columns, _IDS) or _find_numbered(columns, rows)
    label_column = _find_by_name(columns, _LABELS)
    rest = [name for name in columns if name not in {id_column, label_column}]
    title, text = _find_by_name(rest, _TITLES), _find_by_name(rest, _TEXTS)
    text = text or (None if title else _find_longest(rest or columns, rows))
    text_columns = [name for name in (title, text) if name is not None]
    if not text_columns:
        raise Invalid("The file has no columns.")
    is_own = {"id", "text", "label", *OWN_COLUMNS[:3]} <= set(columns)
    return Mapping(
        text_columns=text_columns,
        text_template=f"{{{title}}}{JOIN}{{{text}}}" if title and text else "",
        id_column=id_column,
        label_column=label_column,
        answer_column=find_answer_column(columns, rows),
        label_separator="|" if is_multi_label and label_column else "",
        left_out=[name for name in OWN_COLUMNS if is_own and name in columns],
    )


def _find_by_name(columns: list[str], names: tuple[str, ...]) -> str | None:
    plain = {re.sub(r"[\s_-]", "", column.casefold()): column for column in reversed(columns)}
    return next((plain[name] for name in names if name in plain), None)


def _find_numbered(columns: list[str], rows: list[dict[str, Any]]) -> str | None:
    """Find the first column that looks like an id, by its name and the sample."""
    return next(
        (name for name in columns if _is_numbered(name) and _has_distinct_values(name, rows)), None
    )


def _is_numbered(column: str) -> bool:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).casefold()
    return re.split(r"[^a-z0-9]+", words)[-1] in _NUMBERS


def _has_distinct_values(column: str, rows: list[dict[str, Any]]) -> bool:
    values = [str(row.get(column) or "").strip() for row in rows]
    return all(values) and len(set(values)) == len(values) > 1


def _find_longest(columns: list[str], rows: list[dict[str, Any]]) -> str | None:
    """Find the column with the most characters in the sample."""
    lengths = {column: sum(len(str(row.get(column, ""))) for row in rows) for column in columns}
    return max(columns, key=lambda column: lengths[column], default=None)
