"""Functions that SQLite and Postgres spell differently."""

from typing import Any

from sqlalchemy import Boolean, String, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class Among(FunctionElement[bool]):
    """Among(id, "1,2,3"): one of many ids, which are one parameter."""

    type = Boolean()
    name = "among"
    inherit_cache = True


@compiles(Among, "sqlite")
def _among_on_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    which, ids = (compiler.process(part, **options) for part in element.clauses)
    return f"({which} IN (SELECT value FROM json_each('[' || {ids} || ']')))"  # noqa: S608


@compiles(Among, "postgresql")
def _among_on_postgres(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    which, ids = (compiler.process(part, **options) for part in element.clauses)
    return f"({which} = ANY (string_to_array({ids}, ',')::int[]))"


class FieldText(FunctionElement[str]):
    """The value of a record's field as text, null where there is none: FieldText(fields, name)."""

    type = String()
    name = "field_text"
    inherit_cache = True


@compiles(FieldText, "postgresql")
def _field_text_on_postgres(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    fields, name = (compiler.process(part, **options) for part in element.clauses)
    return f"({fields} ->> {name})"


# json_extract would read a name such as `a"b` as a path, and true as 1.
@compiles(FieldText, "sqlite")
def _field_text_on_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    fields, name = (compiler.process(part, **options) for part in element.clauses)
    return (
        "(SELECT CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' "  # noqa: S608
        f"ELSE CAST(value AS TEXT) END FROM json_each({fields}) WHERE key = {name})"
    )


class Holds(FunctionElement[bool]):
    """Holds(text, like[, glob, regex]): the text matches, without case; "!" escapes in LIKE."""

    type = Boolean()
    name = "holds"
    inherit_cache = True


class FieldHolds(FunctionElement[bool]):
    """FieldHolds(fields, like[, glob, regex]): the value of one of the fields matches."""

    type = Boolean()
    name = "field_holds"
    inherit_cache = True


@compiles(Holds, "sqlite")
def _holds_on_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text, like, *spelled = (compiler.process(clause, **options) for clause in element.clauses)
    matches = f"{text} LIKE {like} ESCAPE '!'"
    # CASE, because in an AND the planner may begin with the slower one.
    return (
        f"(CASE WHEN {matches} THEN {text} GLOB {spelled[0]} ELSE 0 END)"
        if spelled
        else f"({matches})"
    )


@compiles(Holds, "postgresql")
def _holds_on_postgres(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text, like, *spelled = (compiler.process(clause, **options) for clause in element.clauses)
    matches = f"{text} ILIKE {like} ESCAPE '!'"
    return f"({matches} AND {text} ~ {spelled[1]})" if spelled else f"({matches})"


@compiles(FieldHolds, "sqlite")
def _field_holds_on_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    fields, *patterns = list(element.clauses)
    holds_it = Holds(literal_column("CAST(field.value AS TEXT)"), *patterns)
    rows = f"json_each({compiler.process(fields, **options)})"
    return f"EXISTS (SELECT 1 FROM {rows} AS field WHERE {compiler.process(holds_it, **options)})"  # noqa: S608


@compiles(FieldHolds, "postgresql")
def _field_holds_on_postgres(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    fields, *patterns = list(element.clauses)
    holds_it = Holds(literal_column("field.value"), *patterns)
    rows = f"json_each_text({compiler.process(fields, **options)})"
    return f"EXISTS (SELECT 1 FROM {rows} AS field WHERE {compiler.process(holds_it, **options)})"  # noqa: S608
