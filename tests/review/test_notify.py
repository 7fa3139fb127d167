"""The daily digest, sent to a local SMTP server: counts and a link, and not a word of any item."""

from __future__ import annotations

import email
import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiosmtpd", reason="pip install aiosmtpd")
from aiosmtpd.controller import Controller
from running import free_port
from sqlalchemy import update

from solon.cli.app import run_command
from solon.config import parse_config
from solon.errors import ConfigError
from solon.project import Project
from solon.review.notify import MailFailed, digests, notify
from solon.store.reviewing.queue import lease_next
from solon.store.tables import reviews

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


class Box:
    """Keeps what is sent to it."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], Any]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content)))
        return "250 kept"


@pytest.fixture
def box() -> Iterator[tuple[Box, int]]:
    kept = Box()
    controller = Controller(kept, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield kept, controller.port
    controller.stop()
    gc.collect()  # what it leaves to the garbage collector comes up here, and in no other test


def mail_config(port: int, **more: Any) -> dict[str, Any]:
    mail = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "solon@example.org", **more}
    return {"mail": mail, "review": {"address": "https://reviews.example.org"}}


def test_counts_and_a_link_only(project: Project, person: Any, box: tuple[Box, int]) -> None:
    kept, port = box
    person("Ada", email="ada@example.org")
    person("Doc", email="doc@example.org", specialties=["surgery"])
    person("New", email="new@example.org", stage="guidelines")
    person("Bo")
    said: list[str] = []
    assert notify(project.store, parse_config(mail_config(port)), say=said.append) == 2
    assert sorted(to for to, _ in kept.mails) == [["ada@example.org"], ["doc@example.org"]]
    mail = next(mail for to, mail in kept.mails if to == ["ada@example.org"])
    assert mail["Subject"] == "Solon: 12 reviews wait"
    body = mail.get_payload(decode=True).decode()
    assert "https://reviews.example.org" in body
    for review in project.reviews():
        assert review.prompt[:20] not in str(mail)
    assert said == ["Ada: 12 reviews wait", "Doc: 12 reviews wait"]


@pytest.mark.parametrize(("match", "left"), [("prefer", 12), ("require", 0)])
def test_what_waits_is_counted_as_the_queue_hands_it_out(
    project: Project, person: Any, match: str, left: int
) -> None:
    """By the configuration, and by the `--match` of the server before it."""
    doc, _ = person("Doc", email="doc@example.org", specialties=["surgery"])
    with project.store.transaction() as connection:
        connection.execute(update(reviews).values(specialty="law"))
        handed = lease_next(connection, doc, match=match)
        assert (handed is not None) == bool(left)
    config = parse_config({"review": {"match": match}})
    assert [one.reviews for one in digests(project.store, config)] == [left]
    assert [one.reviews for one in digests(project.store, parse_config({}), match)] == [left]


def test_dry_run_sends_nothing(project: Project, person: Any, capsys: pytest.CaptureFixture[str]) -> None:
    person("Ada", email="ada@example.org")
    assert run_command(["review", "notify", "--dry-run", "--json", "--store", project.store.url]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"mails": 1, "dry_run": True}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"host": ""}, "mail.host"),
        ({"sender": ""}, "mail.sender"),
        ({"host": "mail.example.org"}, "in the clear"),
    ],
)
def test_half_a_configuration_is_refused(
    project: Project, person: Any, change: dict[str, Any], told: str
) -> None:
    person("Ada", email="ada@example.org")
    with pytest.raises(ConfigError, match=told):
        notify(project.store, parse_config(mail_config(25, **change)), say=print)


def test_a_dead_server_is_told(project: Project, person: Any) -> None:
    person("Ada", email="ada@example.org")
    with pytest.raises(MailFailed, match="did not take"):
        notify(project.store, parse_config(mail_config(free_port())), say=lambda _: None)


def test_an_address_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    assert run_command(["expert", "add", "Ada", "--email", "a b@x\nBcc: y@z", "--store", url]) == 2
    assert "mail address" in capsys.readouterr().err
