"""The commands put together, and the one place where a failure becomes a message and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.models import CommandInfo

from solon import __version__
from solon.cli import (
    agent_context,
    backup,
    config,
    demo,
    diff,
    doctor,
    evaluate,
    expert,
    export,
    forget,
    gate,
    golden,
    graph,
    importing,
    init,
    judges,
    labels,
    law,
    learn,
    mcp,
    migrate,
    model,
    notify,
    plan,
    preview,
    privacy,
    prompts,
    recipes,
    rejudge,
    release,
    report,
    review,
    review_server,
    rules,
    run,
    show,
    threads,
    worker,
)
from solon.cli.help import arrange
from solon.cli.options import GUARDED, PROFILE, Command
from solon.cli.terminal import STOPPED, USAGE, print_json, warnings_in_a_line
from solon.display.text import clean
from solon.errors import (
    ConfigError,
    InternalError,
    ModelError,
    ReviewError,
    SolonError,
    StoreError,
    UsageError,
)
from solon.extras import extra_of

app = typer.Typer(
    name="solon",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with `solon demo`. Exit codes: 0 done, 1 failed, 2 usage, 3 done with reviews waiting, 4 stopped, "
    "5 taken over by another process.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"solon {__version__}")
        raise typer.Exit


@app.callback()
def solon(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile", metavar="NAME", help="Lay [profiles.NAME] over solon.toml; default: SOLON_PROFILE."
        ),
    ] = None,
) -> None:
    """Training data from a panel of language-model agents and a few experts, whose decisions become law."""
    if profile is not None and not profile.strip():
        raise UsageError("--profile is blank", next_step="name a profile of solon.toml, or leave it out")
    PROFILE.set(profile)


for part in (
    demo,
    init,
    preview,
    diff,
    plan,
    run,
    review,
    worker,
    learn,
    judges,
    rules,
    show,
    export,
    privacy,
    forget,
    importing,
    golden,
    evaluate,
    gate,
    report,
    release,
    recipes,
    graph,
    threads,
    doctor,
    migrate,
    backup,
    law,
    rejudge,
    prompts,
    config,
    model,
    agent_context,
    mcp,
):
    part.register(app)
labels.register(evaluate.evaluations)
app.add_typer(expert.app, name="expert")
app.add_typer(expert.audit_app, name="audit")
review.group.command("serve")(review_server.serve_command)
review.group.command("export")(importing.export_reviews)
review.group.command("notify")(notify.notify_command)
arrange(app)


def _each(part: typer.Typer) -> Iterator[CommandInfo]:
    yield from part.registered_commands
    for inner in part.registered_groups:
        if inner.typer_instance is not None:
            yield from _each(inner.typer_instance)


for one in _each(app):
    if not issubclass(one.cls or TyperCommand, Command):
        one.cls = Command


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, and return its exit code."""
    with warnings_in_a_line():
        return _run(list(sys.argv[1:] if arguments is None else arguments))


@cache
def command_tree() -> Any:
    """All commands as they are called: putting them together takes longer than most of them, once is enough."""
    return typer.main.get_command(app)


def _run(given: list[str]) -> int:
    try:
        code = command_tree()(given, standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except SolonError as error:
        return _report(error, given)
    except typer.Abort:
        return 1
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help
            typer.echo(error, err=True)
            return USAGE
        return _report(
            _usage(error) or _refused_by_disk(error) or _lacking(error) or _ours(error),
            given,
        )
    if code == INTERRUPTED:
        return _interrupted()
    return code if isinstance(code, int) else 0


INTERRUPTED = 130
"""What typer makes of a Ctrl-C that a command left to it."""


def _interrupted() -> int:
    typer.echo("stopped; what was stored by then stays", err=True)
    return STOPPED


def _usage(error: Exception) -> UsageError | None:
    """What typer says of a wrong command or option, in the shape of every failure; None where it is none of its."""
    # typer gives the root of these errors no public name
    spell, context = getattr(error, "format_message", None), getattr(error, "ctx", None)
    if spell is None:
        return None
    command = context.command_path if context is not None else "solon"
    missing = _missing(context) if type(error).__name__ == "MissingParameter" else []
    if len(missing) > 1:
        return UsageError(f"missing: {', '.join(missing)}", next_step=f"see `{command} --help`")
    placed = (
        "name a folder with --folder DIR; " if command.endswith(" init") and "extra arg" in spell() else ""
    )
    return UsageError(spell(), next_step=f"{placed}see `{command} --help`")


def _missing(context: Any) -> list[str]:
    """All that a command needs and was not given, as it is written: what was given is read before what is missing."""
    needed = [one for one in context.command.params if one.required and context.params.get(one.name) is None]
    return [
        one.opts[0] if one.param_type_name == "option" else (one.metavar or str(one.name).upper())
        for one in needed
    ]


_DISK = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)


def _refused_by_disk(error: Exception) -> SolonError | None:
    """What a disk says that is full, or a place that may not be written; None where it is neither."""
    if not isinstance(error, OSError) or error.errno not in _DISK:
        return None
    return SolonError(
        f"{error.filename or 'standard output'}: {error.strerror}",
        next_step="free some space, make the place writable or name another; what is stored is intact",
    )


_ELSE: tuple[tuple[type[SolonError], str], ...] = (
    (ConfigError, "mend it and run the command again; `solon config schema` lists every key"),
    (UsageError, "see `--help` of the command"),
    (ModelError, "ask `solon doctor` about the model, then run `solon resume`"),
    (ReviewError, "see `solon review list`"),
    (StoreError, "ask `solon doctor` about the store"),
    (SolonError, "try again; SOLON_DEBUG=1 shows where it happened"),
)
"""What to do where an error does not say it itself."""


def _report(error: SolonError, arguments: list[str]) -> int:
    if os.environ.get("SOLON_DEBUG") and not (GUARDED.get() and isinstance(error, InternalError)):
        traceback.print_exception(error)
    typer.echo(f"error: {clean(error.cause)}", err=True)
    next_step = error.next_step or next(step for kind, step in _ELSE if isinstance(error, kind))
    typer.echo(f"  -> {clean(next_step)}", err=True)
    if "--json" in arguments:
        print_json(
            {**error.about, "error": error.cause, "next_step": next_step, "exit_code": error.exit_code}
        )
    return error.exit_code


def _lacking(error: Exception) -> UsageError | None:
    """A package that only some need, wherever it was missed; None where it is none."""
    extra = extra_of(error.name or "") if isinstance(error, ModuleNotFoundError) else None
    if extra is None:
        return None
    return UsageError(
        f"{error} (the extra {extra!r} is not installed)", next_step=f"pip install 'solon[{extra}]'"
    )


def _ours(error: Exception) -> InternalError:
    """What nobody foresaw is our mistake; the traceback goes to a file, since it may hold texts. Where texts may name
    people it holds only the places in our code."""
    told = type(error).__name__ if GUARDED.get() else f"{type(error).__name__}: {error}"
    with tempfile.NamedTemporaryFile(
        "w",
        prefix="solon-",
        suffix=".traceback.txt",
        delete=False,
        encoding="utf-8",
        errors="backslashreplace",
    ) as file:
        if GUARDED.get():
            file.write(f"{told}\n{''.join(traceback.format_tb(error.__traceback__))}")
        else:
            traceback.print_exception(error, file=file)
    ours = InternalError(
        told[:500],
        next_step=f"this is a mistake in Solon; please report it with {file.name} (read it first: it may hold texts)",
    )
    ours.__cause__ = error
    return ours
