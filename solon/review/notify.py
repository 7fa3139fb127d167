"""`solon review notify`: a mail to whoever has something waiting, with counts and a link, and nothing else."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING, Any

from solon.errors import ConfigError, SolonError, UsageError
from solon.store.reviewing.adjudicating import cases_of, list_cases
from solon.store.reviewing.experts import ExpertRow, list_experts
from solon.store.reviewing.queue import count_left

if TYPE_CHECKING:
    from solon.config import Config
    from solon.config.review import MailConfig
    from solon.store.database.engine import Connection
    from solon.store.database.store import Store

TIMEOUT = 30.0


class MailFailed(SolonError):
    """The mail server did not take a mail."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What one person has waiting. Counts only: no text of an item goes by mail.

    Attributes:
        expert: the person.
        reviews: questions that they have in hand or would be handed now.
        cases: disagreements that they may settle, as a lead who gave none of the answers; 0 for others.
        outcomes: outcomes of their own answers to which they have not replied.
    """

    expert: ExpertRow
    reviews: int
    cases: int
    outcomes: int

    @property
    def empty(self) -> bool:
        """Whether nothing waits, so that no mail is sent."""
        return not (self.reviews or self.cases or self.outcomes)


def digests(store: Store, config: Config, match: str | None = None) -> list[Digest]:
    """Return a digest for everybody with a mail address whose access stands and who has not ended these mails.

    Args:
        match: how the queue is handed out; None: as `[review] match` says.
    """
    about: dict[str, Any] = {"match": match or config.review.match, "reviewers": config.reviewers}
    with store.connect() as connection:
        known = [one for one in list_experts(connection, revoked=False) if one.email]
        people = [one for one in known if one.settings.get("mails", True)]
        return [_digest(connection, expert, about) for expert in people]


def _digest(connection: Connection, expert: ExpertRow, about: Mapping[str, Any]) -> Digest:
    from solon.store.reviewing.adjudicating import replies_to

    cases = [one for one in list_cases(connection) if one.number(expert.actor) is None]
    mine = cases_of(connection, expert.actor)
    unanswered = [case for case in mine if expert.actor not in replies_to(connection, case.id)]
    left = count_left(connection, expert, **about)
    return Digest(expert, left, len(cases) if expert.may("lead") else 0, len(unanswered))


def notify(
    store: Store,
    config: Config,
    *,
    match: str | None = None,
    dry_run: bool = False,
    say: Callable[[str], None],
) -> int:
    """Send the digests that are not empty, and return how many there are.

    Args:
        match: as of `digests`.
        dry_run: say what would go, and send nothing.
        say: is given a line for each person.

    Raises:
        ConfigError: no mail server, sender or address is configured. MailFailed: the server refused.
    """
    due = [one for one in digests(store, config, match) if not one.empty]
    if not dry_run:
        _check(config)
    for one in due:
        say(f"{one.expert.name}: {told(one)}")
    if dry_run or not due:
        return len(due)
    mail = config.mail
    try:
        with _connect(mail) as server:
            if mail.user:
                server.login(mail.user, _password(mail))
            for one in due:
                server.send_message(write_mail(one, mail.sender, config.review.address))
    except (OSError, smtplib.SMTPException) as error:
        raise MailFailed(
            f"{mail.host}:{mail.port} did not take the mail: {type(error).__name__}",
            next_step="check [mail] in the configuration, then run it again",
        ) from None
    return len(due)


def told(one: Digest) -> str:
    """Return the counts of a digest in words: `2 reviews wait, 1 outcome to read`."""
    parts = [
        (one.reviews, "review waits", "reviews wait"),
        (one.cases, "disagreement to settle", "disagreements to settle"),
        (one.outcomes, "outcome to read", "outcomes to read"),
    ]
    return ", ".join(f"{n} {single if n == 1 else many}" for n, single, many in parts if n)


def write_mail(one: Digest, sender: str, address: str) -> EmailMessage:
    """Return a digest as a mail; `address` is the review server's."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = one.expert.email or ""
    mail["Subject"] = f"Solon: {told(one)}"
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2] or "localhost")
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(
        f"{told(one)}.\n\n{address}\n\nTo end these mails, untick them under Settings on that page.\n"
    )
    return mail


def _check(config: Config) -> None:
    mail = config.mail
    for key, value in (
        ("mail.host", mail.host),
        ("mail.sender", mail.sender),
        ("review.address", config.review.address),
    ):
        if not value:
            raise ConfigError(
                f"{key} is not set", next_step="set it in solon.toml; --dry-run prints what would go"
            )
    if mail.security == "none" and mail.host not in ("localhost", "127.0.0.1", "::1"):
        raise ConfigError(
            f"mail.security = 'none' sends to {mail.host} in the clear", next_step="use starttls or tls"
        )


def _password(mail: MailConfig) -> str:
    password = os.environ.get(mail.password_env, "")
    if not password:
        raise UsageError(f"the password of {mail.user} is missing", next_step=f"set {mail.password_env}")
    return password


def _connect(mail: MailConfig) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if mail.security == "tls":
        return smtplib.SMTP_SSL(mail.host, mail.port, timeout=TIMEOUT, context=context)
    server = smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT)
    if mail.security == "starttls":
        server.starttls(context=context)
    return server
