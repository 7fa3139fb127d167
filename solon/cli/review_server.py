"""`solon review serve`: the page and API where experts decide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solon.cli.options import MatchOption

app = typer.Typer(help="Where experts decide.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Where experts decide."""


@app.command("serve")
def serve_command(
    store: Annotated[str | None, typer.Option(help="URL of the store", envvar="SOLON_STORE")] = None,
    config: Annotated[Path | None, typer.Option(help="configuration file")] = None,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on (0: any that is free)")] = 8321,
    work: Annotated[bool, typer.Option(help="apply decisions by resuming their graphs")] = True,
    match: MatchOption = None,
    certificate: Annotated[Path | None, typer.Option(help="TLS certificate (PEM)")] = None,
    key: Annotated[Path | None, typer.Option(help="TLS key (PEM)")] = None,
    insecure_http: Annotated[bool, typer.Option(help="serve others without TLS all the same")] = False,
    behind_tls: Annotated[bool, typer.Option(help="a proxy speaks TLS: mark cookies secure")] = False,
    create: Annotated[
        bool, typer.Option("--create", help="begin the store where there is none, or bring an older one up")
    ] = False,
) -> None:
    """Serve the review page and the API until Ctrl-C. Prints the address and a login link.

    Example: solon review serve --port 8400
    """
    from solon.project import Project
    from solon.review.serve import check_bind, serve
    from solon.review.state import options_of
    from solon.store.database.local_actor import local_actor

    warning = check_bind(host, tls=certificate is not None, insecure_http=insecure_http)
    if warning:
        typer.echo(warning, err=True)
    with Project(store, config=config, create=create) as project:
        secure = behind_tls or certificate is not None
        serve(
            project,
            options_of(
                project.config.review, work=work, match=match or project.config.review.match, secure=secure
            ),
            host=host,
            port=port,
            certificate=str(certificate) if certificate else None,
            key=str(key) if key else None,
            say=lambda line: typer.echo(line, err=True),
            by=local_actor(),
        )
