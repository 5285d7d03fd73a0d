"""The command line `likewise`, for the operator of this machine.

Decision: everything but typer is imported inside the commands, so that `likewise --help`, and the
start of every command, takes a fraction of a second; torch alone takes seconds.
"""

from pathlib import Path
from typing import Annotated

import typer

from app.commands import project as commands
from app.commands.output import AsJson, CommandGroup, emit, format_table

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Label one record, and likewise the ones like it.",
)
users = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Manage users.")
tokens = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Manage API tokens.")
app.add_typer(users, name="user")
app.add_typer(tokens, name="token")
commands.add_commands(app)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        typer.echo(f"likewise {version('likewise')}")
        raise typer.Exit


@app.callback()
def likewise(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Label one record, and likewise the ones like it."""


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    host: str = "127.0.0.1",
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Do not start a worker.")] = False,
    as_json: bool = AsJson,
) -> None:
    """Upgrade the database, then start the web server and a worker."""
    from app.commands.serve import serve as serve_pages

    serve_pages(host, port, has_worker=not no_worker, as_json=as_json)


@app.command()
def worker(
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Run a worker (import, embed, train) until stopped. Several may run."""
    from app.commands.serve import run_worker_process

    run_worker_process(ends_with_stdin=with_parent)


@app.command()
def doctor(
    claim_folder: Annotated[
        bool,
        typer.Option(
            "--claim-folder",
            help="First bind this data folder to the database; other folders are refused.",
        ),
    ] = False,
    as_json: bool = AsJson,
) -> None:
    """Check this installation; exit status 1 if there are problems."""
    from app.commands.doctor import run_checks

    if claim_folder:
        from app.commands.serve import prepare_database
        from app.installation import claim_folder as claim

        prepare_database()
        claim()
    found = run_checks()
    lines = [(("ok" if check.is_ok else "!!"), check.name, check.sentence) for check in found]
    emit([vars(check) for check in found], format_table(("", "check", "result"), lines), as_json)
    if not all(check.is_ok for check in found):
        raise typer.Exit(1)


@app.command()
def demo(
    wait: Annotated[bool, typer.Option(help="Also embed the records in this process.")] = True,
    as_json: bool = AsJson,
) -> None:
    """Load the sample project: 3,200 unlabeled customer messages. Safe to repeat."""
    from app.commands.demo import load_sample

    sample = load_sample(is_waiting=wait)
    message = f"Sample project /projects/{sample.slug}: {sample.n_records:,} records, "
    message += f"{sample.n_embedded:,} embedded."
    emit(vars(sample), message, as_json)


@users.command("add")
def add_user(
    name: str,
    role: Annotated[str, typer.Option(help="admin, reviewer or annotator")],
    password_stdin: Annotated[bool, typer.Option(help="Read the password from stdin.")] = False,
    port: Annotated[
        int, typer.Option(help="Port of `likewise serve`; ignored if LIKEWISE_PUBLIC_URL is set.")
    ] = 8000,
    as_json: bool = AsJson,
) -> None:
    """Add a user: with a password from stdin, or with a one-time link to choose one."""
    from app.accounts.invitations import invite
    from app.accounts.users import create_user
    from app.commands.serve import base_url, prepare_database
    from app.db.session import write_session

    prepare_database()
    password = typer.get_text_stream("stdin").readline().rstrip("\n") if password_stdin else None
    with write_session() as db:
        user = create_user(db, name, role, password)
        token = None if password_stdin else invite(db, role, user=user)
    link = f"{base_url(port=port)}/welcome/{token}" if token else None
    message = f"{user.name} is {role}." + (f" One-time link: {link}" if link else "")
    emit({"name": user.name, "role": role, "link": link}, message, as_json)


@tokens.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="User the token belongs to.")],
    purpose: Annotated[str, typer.Option("--for", help="Purpose.")] = "command line",
    days: Annotated[int, typer.Option(min=1, max=366)] = 90,
    as_json: bool = AsJson,
) -> None:
    """Create an API token for a user. It is shown once."""
    from app.accounts import tokens as accounts_tokens
    from app.accounts.users import find_user
    from app.commands.serve import prepare_database
    from app.db.session import write_session

    prepare_database()
    with write_session() as db:
        token = accounts_tokens.create_token(db, find_user(db, name), purpose, days)
    emit({"token": token, "user": name, "days": days}, token, as_json)


@tokens.command("list")
def list_tokens(as_json: bool = AsJson) -> None:
    """List all users' API tokens except revoked ones."""
    from app.accounts.tokens import every_token
    from app.commands.serve import ensure_schema
    from app.db.session import read_session

    ensure_schema()
    with read_session() as db:
        found = every_token(db)
    facts = [
        {
            "id": token.id,
            "user": owner.name,
            "for": token.name,
            "prefix": token.prefix,
            "used_at": token.used_at,
            "expires_at": token.expires_at,
        }
        for token, owner in found
    ]
    columns = ("id", "user", "for", "prefix", "last used", "expires")
    emit(facts, format_table(columns, [tuple(fact.values()) for fact in facts]), as_json)


@tokens.command("revoke")
def revoke_token(
    token_id: Annotated[int, typer.Argument(help="Id from `likewise token list`.")],
    as_json: bool = AsJson,
) -> None:
    """Revoke an API token immediately."""
    from app.accounts.tokens import revoke_of_anyone
    from app.commands.serve import ensure_schema
    from app.db.session import write_session

    ensure_schema()
    with write_session() as db:
        revoke_of_anyone(db, token_id, by=None)
    emit({"revoked": token_id}, f"Token {token_id} revoked.", as_json)


@app.command()
def backup(out: Path, as_json: bool = AsJson) -> None:
    """Back up database and files to one tar file, also while in use."""
    from app.commands.backup import create_backup
    from app.commands.serve import ensure_schema

    ensure_schema()
    contents = create_backup(out)
    message = (
        f"{out}: the database and {contents.n_files:,} files, {contents.n_bytes / 1e6:,.1f} MB."
    )
    emit(vars(contents), message, as_json)


@app.command()
def restore(source: Path, as_json: bool = AsJson) -> None:
    """Restore a backup into an empty data folder."""
    from app.commands.backup import restore_backup

    contents = restore_backup(source)
    message = f"Restored {contents.n_files:,} files. Run `likewise verify` to check them."
    emit(vars(contents), message, as_json)


@app.command()
def verify(as_json: bool = AsJson) -> None:
    """Check stored files and labels against the database."""
    from app.commands.serve import ensure_schema
    from app.commands.verify import run_checks
    from app.web.wording import format_count

    ensure_schema()
    found = run_checks()
    message = "\n".join(
        [
            *found.problems,
            f"{found.n_files:,} files, {found.n_records:,} records, "
            f"{found.n_labeled:,} labeled: {format_count(len(found.problems), 'problem')}.",
        ]
    )
    emit(vars(found), message, as_json)
    if found.problems:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
