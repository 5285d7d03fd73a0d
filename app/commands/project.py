"""The commands about one project: import, train, runs, activate, rollback, similar, export."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from app.commands.output import AsJson, emit, format_table

Wait = Annotated[bool, typer.Option("--wait", help="Do the work in this process and wait for it.")]


def add_commands(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command("import")(import_file)
    for command in (train, runs, activate, rollback, similar, export, webhook):
        app.command(command.__name__)(command)


def import_file(
    project: str,
    file: Path,
    text: Annotated[str, typer.Option(help="Text columns: COL,COL")] = "",
    id_: Annotated[str, typer.Option("--id", help="Column with unique ids.")] = "",
    label: Annotated[str, typer.Option(help="Column with labels; empty cells are unlabeled.")] = "",
    template: Annotated[
        str, typer.Option(help='Text template, such as "{Title}. {Description}"')
    ] = "",
    separator: Annotated[str, typer.Option(help="Separator of several labels in a cell.")] = "",
    encoding: Annotated[str, typer.Option(help="Encoding, such as cp1252; default: detect.")] = "",
    multi_label: Annotated[bool, typer.Option("--multi-label")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Preview only, store nothing.")
    ] = False,
    wait: Wait = False,
    as_json: bool = AsJson,
) -> None:
    """Import a CSV, TSV, JSON, JSONL or Parquet file; creates the project if there is none."""
    from app.commands.import_file import ColumnOptions, preview_import, run_import
    from app.commands.serve import ensure_schema

    ensure_schema()
    columns = [name.strip() for name in text.split(",") if name.strip()]
    options = ColumnOptions(columns, id_, label, template, separator, encoding)
    if dry_run:
        facts = preview_import(project, file, options, is_multi_label=multi_label)
        message = f"Text: {', '.join(facts['mapping']['text_columns'])}. " + _describe_mapping(
            facts["mapping"]
        )
        message += f" First row: {str(facts['rows'][:1])[1:-1]}"
        emit(facts, "\n".join([message, *facts["warnings"]]), as_json)
        return
    facts = run_import(project, file, options, is_multi_label=multi_label, is_waiting=wait)
    counted = (
        f"{facts['n_stored']:,} stored, {facts['n_updated']:,} updated, "
        f"{facts['n_unchanged']:,} unchanged, {facts['n_rejected']:,} rejected."
    )
    message = counted if facts["status"] == "succeeded" else "Queued for a worker."
    for reject in facts["rejects"][:1]:
        message += f" First rejected: line {reject['line']:,}, {reject['reason']}."
    emit(facts, f"{message} Project /projects/{facts['project']}", as_json)


def train(
    project: str,
    method: Annotated[str, typer.Option(help="head, deep or skip_triplet")] = "head",
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Training setting: NAME=VALUE")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Activate even if it scores worse.")
    ] = False,
    wait: Wait = False,
    as_json: bool = AsJson,
) -> None:
    """Start a training run."""
    from app.commands.serve import ensure_schema
    from app.commands.train import estimate_time, queue_run, run_and_wait
    from app.ml.deep.recipe import DeepRecipe
    from app.training.runs.recipe_form import parse_recipe

    ensure_schema()
    recipe = parse_recipe(_parse_settings(setting or []) | {"method": method})
    if isinstance(recipe, DeepRecipe):
        typer.echo(estimate_time(project, recipe), err=True)
    facts = (
        run_and_wait(project, recipe, is_forced=force)
        if wait
        else queue_run(project, recipe, force)
    )
    message = facts["verdict"] or facts["error"] or f"Run {facts['number']} is {facts['status']}."
    if wait and facts["status"] != "succeeded":
        emit(facts, f"Run {facts['number']} is {facts['status']}.", as_json)
        typer.echo(message, err=True)
        raise typer.Exit(1)
    emit(facts, message, as_json)


def runs(project: str, as_json: bool = AsJson) -> None:
    """List training runs, newest first, and advice on what to label next."""
    from app.commands.serve import ensure_schema
    from app.db.session import read_session
    from app.projects.projects import find_named_project
    from app.training.reports.advice import build_advice
    from app.training.reports.run_summary import load_run_summaries, run_as_json
    from app.training.runs.runs import list_latest_runs

    ensure_schema()
    with read_session() as db:
        of = find_named_project(db, project)
        found, sentences = (
            load_run_summaries(db, list_latest_runs(db, of.id)),
            build_advice(db, of).sentences,
        )
    rows: list[tuple[object, ...]] = [
        (
            facts.run.number,
            facts.run.status,
            facts.run.n_examples,
            facts.version,
            facts.headline and f"{facts.headline.raw.value:.3f}",
            facts.headline and f"{facts.headline.tuned.value:.3f}",
            facts.headline and facts.headline.tuned.n,
            facts.run.error or facts.run.verdict,
        )
        for facts in found
    ]
    columns = ("run", "status", "labels", "version", "raw", "tuned", "n", "verdict")
    message = "\n".join([format_table(columns, rows), *sentences])
    emit([run_as_json(facts) for facts in found], message, as_json)


def activate(project: str, version: int, as_json: bool = AsJson) -> None:
    """Activate a version for search."""
    from app.commands.serve import ensure_schema
    from app.db.session import read_session
    from app.projects.projects import find_named_project
    from app.search.versions import activate_version

    ensure_schema()
    with read_session() as db:
        of = find_named_project(db, project)
    activated = activate_version(of, version, by=None, reason="Chosen on the command line")
    emit({"version": version, "kind": activated.kind}, f"Version {version} is active.", as_json)


def rollback(project: str, as_json: bool = AsJson) -> None:
    """Roll back to the previously active version."""
    from app.commands.serve import ensure_schema
    from app.db.session import read_session
    from app.projects.projects import find_named_project
    from app.search.versions import roll_back_version

    ensure_schema()
    with read_session() as db:
        of = find_named_project(db, project)
    activated = roll_back_version(of, by=None)
    facts: dict[str, Any] = {"version": activated.number, "kind": activated.kind}
    emit(facts, f"Version {activated.number} is active again.", as_json)


def similar(
    project: str,
    record: Annotated[str, typer.Option(help="External id of a record.")] = "",
    text: Annotated[str, typer.Option(help="Any text.")] = "",
    k: Annotated[int, typer.Option("-k", min=1, max=1000)] = 10,
    as_json: bool = AsJson,
) -> None:
    """List the k records most similar to a record or a text."""
    from app.commands.query import find_similar
    from app.commands.serve import ensure_schema

    if bool(record) == bool(text):
        raise typer.BadParameter("Use either --record or --text.")
    ensure_schema()
    found = find_similar(project, record, text, k)
    rows: list[tuple[object, ...]] = [
        (hit["rank"], f"{hit['similarity']:.3f}", hit["id"], hit["label"], hit["text"][:80])
        for hit in found
    ]
    emit(found, format_table(("rank", "cosine", "id", "label", "text"), rows), as_json)


def export(
    project: str,
    out: Path,
    format_: Annotated[str, typer.Option("--format", help="csv, jsonl or parquet")] = "",
    vectors: Annotated[bool, typer.Option("--vectors", help="Include tuned vectors.")] = False,
    as_json: bool = AsJson,
) -> None:
    """Write the records with their labels and suggestions to a file."""
    from app.commands.query import export_to
    from app.commands.serve import ensure_schema

    ensure_schema()
    facts = export_to(project, out, format_ or out.suffix.lstrip(".").lower(), vectors)
    emit(facts, f"{facts['file']}: {facts['n_bytes']:,} bytes.", as_json)


def webhook(
    project: str,
    url: Annotated[str, typer.Argument(help="URL that receives the messages.")],
    private: Annotated[
        bool, typer.Option("--private", help="Allow a URL in a private network.")
    ] = False,
    as_json: bool = AsJson,
) -> None:
    """Add a webhook for the project's events. Prints the secret that signs the messages."""
    from app.commands.serve import prepare_database
    from app.db.session import write_session
    from app.notifications.webhooks import add_webhook
    from app.projects.projects import find_named_project

    prepare_database()
    with write_session() as db:
        added = add_webhook(db, find_named_project(db, project), url, by=None, is_private=private)
    data = {"project": project, "url": added.url, "secret": added.secret}
    emit(data, f"Webhook added: {added.url} Signing secret: {added.secret}", as_json)


def _parse_settings(written: list[str]) -> dict[str, Any]:
    """NAME=VALUE, each value a number if it reads as one."""
    values: dict[str, Any] = {}
    for each in written:
        name, has_value, value = each.partition("=")
        if not has_value:
            raise typer.BadParameter(f"{each} is not of the form NAME=VALUE.")
        try:
            values[name] = json.loads(value)
        except json.JSONDecodeError:
            values[name] = value
    return values


def _describe_mapping(mapping: dict[str, Any]) -> str:
    id_column, label_column = mapping["id_column"], mapping["label_column"]
    message = f"Id: {id_column or 'computed from the text'}. Label: {label_column or 'none'}."
    if label_column and (answer_column := mapping["answer_column"]):
        message += f" Labels rejected in {answer_column} are skipped."
    return message
