"""Configuration of reviewing: who is asked what, what is sent out, how people log in. None of it shapes the data of a
run, so none of it is part of a run's configuration. Imports nothing of Solon."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

EVENTS = ("review.created", "review.decided", "constitution.ratified", "run.waiting", "run.continued")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class ReviewConfig(_Section):
    """How experts are asked. Nothing here shapes the data of a run, so it may change between sessions."""

    answers: int = Field(
        1, ge=1, le=9, description="people asked each question; a lead settles what they differ in"
    )
    answers_below: float = Field(
        1.0,
        gt=0,
        le=1,
        description="ask further people only where panel and first answer are less sure than this; 1: always",
    )
    second: Literal["blind", "told"] = Field(
        "blind",
        description="whether a further person is told what the first one answered, and why; only of questions that "
        "show what was found in a text (instruction-curate), whose answers certify nothing",
    )
    suggestion: Literal["hidden", "after", "shown", "randomised"] = Field(
        "hidden",
        description="what the panel found, beside a question whose answer decides: hidden, told after the answer, "
        "shown before it, or shown to a random half; never where the question was drawn at random. An answer given "
        "with it in sight teaches, and certifies nothing",
    )
    check: str = Field(
        "",
        description="name in [models] of the model that reads an answer before it is sent, where its author asks for "
        "that, and says what may be wrong; empty: none does. The answer before that is kept: it alone is blind",
    )
    doubt: float = Field(
        1.0,
        gt=0,
        le=1,
        description="ask a question again, of a second person or of the same one after `repeat_days`, where the panel "
        "is at least so sure of another answer than the one given; 1: never. It measures nobody",
    )
    match: Literal["prefer", "require"] = Field(
        "prefer",
        description="who is given a review of a field: people of the field and the language first, or only those",
    )
    hand_in: str = Field(
        "",
        description="name of the recipe, such as instruction-curate, whose requests experts write with their answers "
        "on the page; empty: they write none",
    )
    onboarding: bool = Field(
        False, description="new experts begin with guidelines, practice and calibration before they decide"
    )
    language: str = Field(
        "en", description="language of the pages: en, or a TOML file with their texts in another one"
    )
    guidelines: str = Field(
        "", description="Markdown file that new experts acknowledge, with the constitution"
    )
    practice: int = Field(5, ge=0, le=100, description="practice questions of a new expert, with feedback")
    calibration: int = Field(
        10, ge=0, le=200, description="calibration questions that every new expert answers"
    )
    golden_share: float = Field(
        0.05, ge=0, le=0.5, description="share of golden questions among what an expert is asked"
    )
    golden_days: float = Field(
        60.0, ge=0, description="nobody gets the same golden question within so many days"
    )
    repeat_share: float = Field(
        0.02, ge=0, le=0.5, description="share of what an expert is asked that they have answered before"
    )
    repeat_days: float = Field(
        30.0, ge=1, description="days after an answer before its author may be asked the same again"
    )
    address: str = Field(
        "",
        description="public address of the review server, for links in mails and in interrupts of graphs, and for "
        "single sign-on; without it links name where a server ran last, else http://127.0.0.1:8321",
    )
    webhooks: tuple[str, ...] = Field((), description="https addresses that are told of events, by ids only")
    webhook_events: tuple[str, ...] = Field(EVENTS, description="events that are told")
    webhook_secret_env: str = Field(
        "SOLON_WEBHOOK_SECRET", description="environment variable with the secret that signs them"
    )
    webhook_private: bool = Field(
        False, description="allow http and addresses of private networks and of this machine"
    )

    @field_validator("webhook_events")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in EVENTS:
                raise ValueError(f"{name!r} is no event; events: {', '.join(EVENTS)}")
        return value


class MailConfig(_Section):
    """How `solon review notify` sends its digests."""

    host: str = Field("", description="SMTP server; empty: no mail")
    port: int = Field(587, ge=1, le=65535, description="its port")
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="none: only to this machine")
    user: str = Field("", description="user name, where the server wants one")
    password_env: str = Field("SOLON_MAIL_PASSWORD", description="environment variable with the password")
    sender: str = Field("", description="address in From")


class SsoConfig(_Section):
    """Single sign-on by OpenID Connect, beside links and tokens. Who logs in must be an expert already."""

    issuer: str = Field("", description="address of the identity provider; empty: no single sign-on")
    client_id: str = Field("", description="as the provider knows this server")
    secret_env: str = Field("SOLON_SSO_SECRET", description="environment variable with the client's secret")
    name: str = Field("single sign-on", description="what the button says")
