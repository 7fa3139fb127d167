"""Experts and their tokens, which are shown once and kept as argon2 hashes."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, select, update

from solon.config.sections import ReviewersConfig
from solon.consensus.trust import Belief, believe
from solon.errors import UsageError
from solon.store.database import clock
from solon.store.database.audit_log import append
from solon.store.database.ids import new_id
from solon.store.database.store import Store
from solon.store.reviewing.names import check_name
from solon.store.tables import experts, sessions
from solon.store.tables import login_links as links

if TYPE_CHECKING:
    from argon2 import PasswordHasher


ROLES = ("worker", "expert", "lead", "admin")
TRUST = ("", "proven", "unproven")
STAGES = ("guidelines", "practice", "calibration", "proven")
"""The way of a new expert. Before `proven`, they are asked practice and calibration questions only."""
TOKEN_VARIABLE = "SOLON_TOKEN"
"""Environment variable with the token of the person who acts."""
_EMAIL = re.compile(r"^[^@\s<>]{1,64}@[^@\s<>]{1,255}$")
_TOKEN = re.compile(r"^solon_([0-9a-f]{16})_([A-Za-z0-9_-]{32,64})$")


@dataclass(frozen=True, slots=True)
class ExpertRow:
    """A person who answers reviews; without the hash of the token.

    Attributes:
        id: the person's id.
        name: the name, unique in the store.
        role: worker, expert, lead or admin.
        specialties: fields that they answer for, in lower case.
        languages: languages that they read, in lower case; empty: any.
        credential: what qualifies them, in words.
        settings: their settings of the review page.
        created_at: when they were added, in epoch seconds.
        token_made_at: when their token was made, in epoch seconds.
        revoked_at: when their access was ended, in epoch seconds; None while it stands.
        trust: `proven` or `unproven` where somebody said so; empty: by role and measurement.
        measured: reliability, with n and interval, from blind comparisons; None before there are any.
        stage: guidelines, practice, calibration or proven; before `proven` they get known questions only.
        email: mail address; None where none was given.
    """

    id: str
    name: str
    role: str
    specialties: tuple[str, ...]
    languages: tuple[str, ...]
    credential: str
    settings: dict[str, Any]
    created_at: float
    token_made_at: float
    revoked_at: float | None
    trust: str = ""
    measured: dict[str, Any] | None = None
    stage: str = "proven"
    email: str | None = None

    @property
    def actor(self) -> str:
        """How decisions and logs name this person."""
        return f"expert:{self.id}"

    def may(self, role: str) -> bool:
        """Does the role reach: worker < expert < lead < admin?"""
        return ROLES.index(self.role) >= ROLES.index(role)

    def can_answer(self, specialty: str | None, lang: str | None, match: str) -> bool:
        """Does this person have the language of a review and, where `match` is `require`, its field? With `prefer` the
        queue hands out other languages, too, once nothing else is left: whether anybody has them, this says."""
        fits = match == "prefer" or specialty in (None, *self.specialties)
        return fits and (not self.languages or lang in (None, *self.languages))

    def believed(self, reviewers: ReviewersConfig | None = None) -> Belief:
        """Is this person's decision final, and how reliable are they? Without `reviewers`, by the defaults."""
        roles = (reviewers or ReviewersConfig()).proven_roles
        leads = self.may("lead") and self.role in roles and self.trust != "unproven"
        return believe(
            proven_at_first=self.role in roles,
            trust="proven" if leads else self.trust,
            measured=self.measured,
        )


def expert_row(found: Mapping[Any, Any]) -> ExpertRow:
    """The person in a row of the table of experts."""
    return ExpertRow(
        id=found["id"],
        name=found["name"],
        role=found["role"],
        specialties=tuple(found["specialties"] or ()),
        languages=tuple(found["languages"] or ()),
        credential=found["credential"],
        settings=dict(found["settings"] or {}),
        created_at=found["created_at"],
        token_made_at=found["token_made_at"],
        revoked_at=found["revoked_at"],
        trust=found["trust"],
        measured=found["measured"],
        stage=found["stage"],
        email=found["email"],
    )


def add_expert(
    store: Store,
    name: str,
    *,
    role: str = "expert",
    specialties: Sequence[str] = (),
    languages: Sequence[str] = (),
    credential: str = "",
    trust: str = "",
    email: str = "",
    stage: str = "proven",
    by: str,
) -> tuple[ExpertRow, str]:
    """Add a person; returns them and their token, which is shown this once and stored hashed.

    Args:
        trust: proven or unproven; empty: by the role, see `[reviewers]` of the configuration.
        stage: where they begin: `guidelines`, or `proven` for whoever shall decide at once.

    Raises:
        UsageError: the name is taken or cannot be one (see `check_name`), or there is no such role.
    """
    name = check_name(name)
    if role not in ROLES:
        raise UsageError(f"there is no role {role!r}", next_step=f"roles: {', '.join(ROLES)}")
    check_trust(trust)
    if stage not in STAGES:
        raise UsageError(f"there is no stage {stage!r}", next_step=f"stages: {', '.join(STAGES)}")
    if email and not _EMAIL.match(email):
        raise UsageError(f"{email[:100]!r} is no mail address")
    token_key, token, token_hash = _new_token()
    now = clock.now()
    expert_id = new_id()
    row: dict[str, Any] = {
        "id": expert_id,
        "name": name,
        "role": role,
        "specialties": _lower(specialties),
        "languages": _lower(languages),
        "credential": credential.strip()[:200],
        "token_key": token_key,
        "token_hash": token_hash,
        "token_made_at": now,
        "settings": {},
        "trust": trust,
        "measured": None,
        "created_at": now,
        "revoked_at": None,
        "stage": stage if role == "expert" else "proven",
        "email": email or None,
    }
    with store.transaction() as connection:
        if connection.execute(select(experts.c.id).where(experts.c.name == name)).first() is not None:
            raise UsageError(
                f"there is an expert {name!r} already",
                next_step="choose another name, or give them a new token with `solon expert rotate`",
            )
        check_name(name, connection.execute(select(experts.c.name)).scalars())
        connection.execute(insert(experts), [row])
        append(store, connection, by, "expert.added", expert_id, {"role": role})
    return expert_row(row), token


def first_stage(onboarding: bool, ready: bool | None) -> str:
    """The stage at which a new expert begins: `proven` where they answer at once, else `guidelines`.

    Args:
        onboarding: the project's new experts are introduced first.
        ready: says for this person whether they answer at once; None: as `onboarding` has it.
    """
    return "guidelines" if (onboarding if ready is None else not ready) else "proven"


def check_trust(trust: str) -> None:
    """Refuse a trust that is neither proven, unproven nor empty.

    Raises:
        UsageError: there is no such trust.
    """
    if trust not in TRUST:
        raise UsageError(f"nobody is ever {trust!r}", next_step="say proven, unproven, or nothing")


def set_trust(store: Store, name_or_id: str, trust: str, *, by: str) -> ExpertRow:
    """Say that a person's decisions are final (proven), or votes (unproven); empty: by role and measurement."""
    check_trust(trust)
    with store.transaction() as connection:
        expert = find_expert(connection, name_or_id)
        connection.execute(update(experts).where(experts.c.id == expert.id).values(trust=trust))
        append(store, connection, by, "expert.trust", expert.id, {"trust": trust or "measured"})
        return find_expert(connection, expert.id)


def save_measured(connection: Connection, measured: Mapping[str, Mapping[str, float]]) -> int:
    """Keep what blind comparisons say of people (`measured`, by actor); returns how many rows changed."""
    known = {f"expert:{row.id}": row for row in connection.execute(select(experts.c.id, experts.c.measured))}
    changed = 0
    for actor, figures in measured.items():
        if actor in known and (known[actor].measured or None) != dict(figures):
            statement = update(experts).where(experts.c.id == known[actor].id).values(measured=dict(figures))
            changed += int(connection.execute(statement).rowcount)
    return changed


def _lower(values: Sequence[str]) -> list[str]:
    return sorted({value.strip().lower() for value in values if value.strip()})


def _new_token() -> tuple[str, str, str]:
    token_key, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    return token_key, f"solon_{token_key}_{secret}", _hasher().hash(secret)


def _hasher() -> PasswordHasher:
    """Argon2id at OWASP's lowest setting: a token has 256 random bits, and a server must not be stalled by guesses."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def list_experts(connection: Connection, *, revoked: bool = True) -> list[ExpertRow]:
    """Everyone, by name; `revoked`: also those whose access was ended."""
    query = select(experts).order_by(experts.c.name)
    if not revoked:
        query = query.where(experts.c.revoked_at.is_(None))
    return [expert_row(row) for row in connection.execute(query).mappings()]


def find_expert(connection: Connection, name_or_id: str) -> ExpertRow:
    """A person by name or id.

    Raises:
        UsageError: nobody is called so.
    """
    query = select(experts).where((experts.c.name == name_or_id) | (experts.c.id == name_or_id))
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UsageError(f"there is no expert {name_or_id!r}", next_step="see `solon expert list`")
    return expert_row(row)


def rotate_token(store: Store, name_or_id: str, *, by: str) -> tuple[ExpertRow, str]:
    """Give a person a new token, also where their access was revoked; returns them and the token, shown this once.

    The old token ends at once, and so do their sessions and unused login links.
    """
    token_key, token, token_hash = _new_token()
    now = clock.now()
    with store.transaction() as connection:
        expert = find_expert(connection, name_or_id)
        connection.execute(
            update(experts)
            .where(experts.c.id == expert.id)
            .values(token_key=token_key, token_hash=token_hash, token_made_at=now, revoked_at=None)
        )
        connection.execute(
            update(sessions)
            .where(sessions.c.expert_id == expert.id, sessions.c.ended_at.is_(None))
            .values(ended_at=now)
        )
        connection.execute(
            update(links).where(links.c.expert_id == expert.id, links.c.used_at.is_(None)).values(used_at=now)
        )
        append(store, connection, by, "expert.rotated", expert.id)
        return find_expert(connection, expert.id), token


class TokenCheck:
    """Checks bearer tokens. Argon2 is slow on purpose, so a token that was right is remembered by its hash for a
    while; a rotated or revoked one is refused at once, since the stored row is read every time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._right: dict[str, tuple[str, str]] = {}

    def remembered(self, token: str) -> ExpertRow | None:
        """Like `check`, but None also where only argon2 could tell; quick enough for an event loop."""
        mark = hashlib.sha256(token.encode()).hexdigest()
        return self.check(token) if mark in self._right else None

    def check(self, token: str) -> ExpertRow | None:
        """The person whose token this is, or None."""
        match = _TOKEN.match(token)
        if match is None:
            return None
        with self._store.connect() as connection:
            query = select(experts).where(
                experts.c.token_key == match.group(1), experts.c.revoked_at.is_(None)
            )
            row = connection.execute(query).mappings().first()
        if row is None or not self._is_right(token, match.group(2), row["token_hash"]):
            return None
        return expert_row(row)

    def holder(self, token: object, told: str) -> ExpertRow:
        """The person whose token this is.

        Args:
            told: where the token was given, for the message, which never repeats it.

        Raises:
            UsageError: it is nobody's: wrong, replaced, or revoked.
        """
        expert = self.check(token) if isinstance(token, str) else None
        if expert is None:
            raise UsageError(
                f"the token in {told} is wrong, was replaced or was revoked; nothing was changed",
                next_step="see who there is with `solon expert list`; `solon expert add NAME` and "
                "`solon expert rotate NAME` show a new token once",
            )
        return expert

    def _is_right(self, token: str, secret: str, token_hash: str) -> bool:
        from argon2.exceptions import Argon2Error, InvalidHashError

        mark = hashlib.sha256(token.encode()).hexdigest()
        if self._right.get(mark) == (token_hash, mark):
            return True
        try:
            _hasher().verify(token_hash, secret)
        except (Argon2Error, InvalidHashError):
            return False
        if len(self._right) > 4096:
            self._right.clear()
        self._right[mark] = (token_hash, mark)
        return True


def expert_by_subject(
    store: Store, connection: Connection, subject: str, email: str | None
) -> ExpertRow | None:
    """The person whom a single sign-on names; None where nobody, or more than one person, is meant.

    They are found by the provider's subject; the first time by the mail address that the provider vouches for.
    """
    there = experts.c.revoked_at.is_(None)
    known = connection.execute(select(experts).where(experts.c.subject == subject)).mappings().first()
    if known is not None:
        return expert_row(known) if known["revoked_at"] is None else None
    if email is None:
        return None
    query = select(experts).where(
        func.lower(experts.c.email) == email.lower(), experts.c.subject.is_(None), there
    )
    rows = connection.execute(query.limit(2)).mappings().all()
    if len(rows) != 1:
        return None
    connection.execute(update(experts).where(experts.c.id == rows[0]["id"]).values(subject=subject))
    append(store, connection, "system", "expert.sso", rows[0]["id"])
    return expert_row(rows[0])


def set_stage(connection: Connection, expert_id: str, stage: str) -> None:
    """Move a person to a stage; moving to `practice` notes the time as their acknowledgement of the guidelines."""
    values: dict[str, Any] = {"stage": stage}
    if stage == "practice":
        values["acknowledged_at"] = clock.now()
    connection.execute(update(experts).where(experts.c.id == expert_id).values(**values))


def save_settings(connection: Connection, expert_id: str, settings: Mapping[str, Any]) -> None:
    """Keep a person's settings of the page."""
    connection.execute(update(experts).where(experts.c.id == expert_id).values(settings=dict(settings)))
