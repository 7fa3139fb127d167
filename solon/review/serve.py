"""Start the review server: check where it listens, print the address and a login link, run until it is stopped."""

from __future__ import annotations

import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from solon.errors import UsageError
from solon.graphs.versions import outdated_threads
from solon.store.reviewing.experts import add_expert, list_experts
from solon.store.reviewing.served import note_server
from solon.store.reviewing.sessions import make_login_link
from solon.store.reviewing.worker_problems import note_worker

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from solon.project import Project
    from solon.review.state import Options

PROXY = (
    "put it behind a proxy that speaks TLS (e.g. caddy reverse-proxy --from reviews.example.org --to 127.0.0.1:PORT) "
    "and leave --host as it is, or give --certificate and --key; --insecure-http serves in the clear all the same"
)


BACKLOG = 128
"""Connections that wait until the server takes them."""
KEPT_SECONDS = 75
"""How long a connection is kept between two requests: somebody who thinks must not meet its end with their answer."""


def is_loopback(host: str) -> bool:
    """Tell whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_bind(host: str, *, tls: bool, insecure_http: bool) -> str:
    """Return a warning to print, or nothing where serving at this address is safe.

    Args:
        host: the address to listen on.
        tls: the server has a certificate.
        insecure_http: serving in the clear was asked for.

    Raises:
        UsageError: others could reach it and read along, and that was not asked for.
    """
    if is_loopback(host) or tls:
        return ""
    if not insecure_http:
        raise UsageError(
            f"{host} can be reached by others, and without TLS they can read along", next_step=PROXY
        )
    return f"warning: serving in the clear on {host}: tokens and texts can be read along. Better {PROXY}."


def first_link(project: Project, address: str, *, by: str) -> str:
    """Return a login link for the first admin (or lead); without anyone, an admin named after the caller is added."""
    with project.store.connect() as connection:
        people = [one for one in list_experts(connection, revoked=False) if one.may("lead")]
    people.sort(key=lambda one: (one.role != "admin", one.created_at))
    if not people:
        name = by.partition(":")[2] or by
        person, _ = add_expert(project.store, name, role="admin", by=by)
        people = [person]
    return f"{address}/login?link={make_login_link(project.store, people[0].id, by=by)}"


def serve(
    project: Project,
    options: Options,
    *,
    host: str,
    port: int,
    certificate: str | None = None,
    key: str | None = None,
    say: Callable[[str], None],
    by: str,
) -> None:
    """Serve until Ctrl-C, SIGTERM or SIGHUP; decisions in flight are finished first.

    Args:
        port: 0 takes a free one.
        certificate: file of the TLS certificate; None serves in the clear.
        key: file of its key.
        say: is given the lines to print: the address, a login link, warnings.
        by: who starts the server, for the audit log.

    Raises:
        UsageError: the port is taken.
    """
    import uvicorn

    from solon.review.app import create_app

    app = create_app(project, options)  # what is wrong with the options shows before anybody is let in
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    address = f"{'https' if certificate else 'http'}://{shown}:{port}"
    with project.store.transaction() as connection:
        note_server(connection, address)
    say(f"Reviews at {address}")
    say(f"Log in (once, within ten minutes): {first_link(project, address, by=by)}")
    older = outdated_threads(project.store, project.recipes)
    if older:
        say(f"{older} waiting items stand in an older graph: `solon migrate-threads` brings them to this one")
    if not options.work:
        with project.store.transaction() as connection:
            note_worker(connection, f"the review server at {address} was started with --no-work")
        say(
            "Decisions are stored and not applied (--no-work); `solon worker` or `solon resume` applies them."
        )
    server = uvicorn.Server(make_config(app, ssl_certfile=certificate, ssl_keyfile=key))
    with _ended_by_hang_up(server):
        server.run(sockets=[listening])


@contextmanager
def _ended_by_hang_up(server: uvicorn.Server) -> Iterator[None]:
    """A context in which a terminal that goes away ends the server as Ctrl-C does, which uvicorn does not see to."""
    hang_up = getattr(signal, "SIGHUP", None)
    away = threading.current_thread() is not threading.main_thread()
    if hang_up is None or away or signal.getsignal(hang_up) == signal.SIG_IGN:  # nohup
        yield
        return
    before = signal.signal(hang_up, lambda *_: setattr(server, "should_exit", True))
    try:
        yield
    finally:
        signal.signal(hang_up, before)


def make_config(app: FastAPI, **more: Any) -> uvicorn.Config:
    """Return how the web server runs the app: its time limits, and nothing about itself in its answers."""
    import uvicorn

    from solon.review.limits import TimedProtocol

    settings: dict[str, Any] = {
        "http": TimedProtocol,
        "timeout_keep_alive": KEPT_SECONDS,
        "timeout_graceful_shutdown": 3,
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "proxy_headers": True,
    }
    return uvicorn.Config(app, **settings | more)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP: else asyncio leaves Nagle's algorithm on, and answers on a kept connection wait 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)  # whoever follows the link at once waits, and is not turned away
    except OSError as error:
        listening.close()
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror}", next_step="choose another with --port"
        ) from None
    return listening
