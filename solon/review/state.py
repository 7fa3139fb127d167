"""What every request of one review server shares."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from fastapi import Request
from itsdangerous import URLSafeSerializer

from solon.config.sections import ReviewersConfig
from solon.errors import ConfigError
from solon.law.documents import Constitution, Rubric
from solon.reading import read_text
from solon.review.kept import Kept, Reading
from solon.review.language import ENGLISH, Language, read_language
from solon.review.sso import Sso, sso_of
from solon.review.webhooks import Herald, Hooks, hooks_of
from solon.store.database.audit_log import sealing_key
from solon.store.reviewing.experts import TokenCheck
from solon.store.reviewing.known import Mix
from solon.store.reviewing.reading import law_document
from solon.store.reviewing.suggestions import How
from solon.store.runs.items import are_many

if TYPE_CHECKING:
    from solon.config.review import ReviewConfig
    from solon.project import Project
    from solon.review.checker import Checker
    from solon.review.handing_in import HandIns
    from solon.review.jobs import Jobs
    from solon.review.live import Live
    from solon.review.metrics import Metrics
    from solon.review.similar import Similar
    from solon.review.worker import Worker
    from solon.store.database.engine import Connection
    from solon.store.runs.runs import Spent

T = TypeVar("T")
KEEP_SECONDS = 60.0
"""What is promised, and what is left for each person, is read again after so long."""
MOST_RUNS = 100_000
"""Runs whose figures are kept, a few numbers each: a page looks at all of them at once."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a server runs.

    Attributes:
        work: deliver decisions to their graphs here; else `solon resume` or another server does.
        match: give experts reviews of their specialties and languages first, or only those.
        secure: set the cookie for TLS only.
        answers: how many people are asked each question; a lead settles what they differ in.
        answers_below: further people are asked only where panel and first answer are less sure than this.
        suggestion: whether what the panel found is shown with a question.
        tells_first: a further person is told what the first one answered, where the question shows what was found.
        check: name of the model that reads answers before they are sent; empty: none.
        hand_in: name of the recipe whose requests and answers experts write on the page; empty: none.
        doubt: a question is asked again where the panel is at least so sure of another answer; 1: never.
        mix: how known questions are mixed into the queue.
        onboarding: new experts begin with the guidelines.
        guidelines: their text, as Markdown.
        poll_seconds: seconds between two looks for decisions made elsewhere (the command line, another server).
        language: a language that is shipped, or a TOML file with the texts of the pages.
        hooks: the webhooks that are told of events; None where there are none.
        address: public address of the server, for single sign-on; empty: as the browser calls it.
    """

    work: bool = True
    match: Literal["prefer", "require"] = "prefer"
    secure: bool = False
    poll_seconds: float = 2.0
    answers: int = 1
    answers_below: float = 1.0
    tells_first: bool = False
    suggestion: How = "hidden"
    check: str = ""
    hand_in: str = ""
    doubt: float = 1.0
    mix: Mix = field(default_factory=Mix)
    onboarding: bool = False
    guidelines: str = ""
    language: str = ENGLISH
    hooks: Hooks | None = None
    address: str = ""


def options_of(config: ReviewConfig, **more: Any) -> Options:
    """Return the options that the configuration gives, with `more`, which the command line gives.

    Raises:
        ConfigError: the file of the guidelines or of the language cannot be read, or webhooks lack a secret or an
            allowed address.
    """
    text = ""
    if config.guidelines:
        advice = "give a Markdown file in UTF-8 as `[review] guidelines`"
        text = read_text(Path(config.guidelines), raises=ConfigError, next_step=advice)
    read_language(config.language)
    mix = Mix(
        golden_share=config.golden_share,
        golden_days=config.golden_days,
        practice=config.practice,
        calibration=config.calibration,
        repeat_share=config.repeat_share,
        repeat_days=config.repeat_days,
        doubt=1.0 if config.suggestion == "after" else config.doubt,  # whoever was told is not asked again
    )
    return Options(
        answers=config.answers,
        answers_below=config.answers_below,
        tells_first=config.second == "told",
        suggestion=config.suggestion,
        check=config.check,
        hand_in=config.hand_in,
        doubt=config.doubt,
        mix=mix,
        onboarding=config.onboarding,
        guidelines=text,
        language=config.language,
        hooks=hooks_of(config),
        address=config.address,
        **{"match": config.match, **more},
    )


@dataclass(slots=True)
class Room:
    """One server: its project, its people's ways in, its worker, what it has read of the law.

    Attributes:
        project: the project, open for as long as the server runs.
        options: how the server runs.
        tokens: checks bearer tokens.
        signer: signs the cookies of browsers.
        csrf_key: key of the CSRF tokens of its pages.
        live: counts of the queue and their changes.
        metrics: counters and gauges for Prometheus.
        worker: carries decisions to their graphs; None where this server does not.
        herald: tells webhooks of events; None where there are none.
        jobs: works through exports, measurements and rejudging.
        checker: asks a model about answers before they are sent.
        hand_ins: takes in what experts write on the page.
        similar: finds decided items that resemble one.
        sso: the identity provider; None where there is no single sign-on.
        slow_figures: what the first page of leads shows and what takes longer to read.
        principle_uses: how often the principles of a constitution were cited, by its id.
        promises: what is promised of runs.
        people: what everyone did, and how far they agree.
        spent: calls, tokens and cost of each run, by its id.
    """

    project: Project
    options: Options
    tokens: TokenCheck
    signer: URLSafeSerializer
    csrf_key: bytes
    live: Live
    metrics: Metrics
    worker: Worker | None
    herald: Herald | None
    jobs: Jobs
    checker: Checker
    hand_ins: HandIns
    similar: Similar
    sso: Sso | None
    slow_figures: Kept[Any] = field(default_factory=lambda: Kept(KEEP_SECONDS))
    principle_uses: Kept[Any] = field(default_factory=lambda: Kept(KEEP_SECONDS, most=16))
    promises: Kept[Any] = field(default_factory=lambda: Kept(KEEP_SECONDS, most=16))
    people: Kept[Any] = field(default_factory=lambda: Kept(KEEP_SECONDS))
    spent: Kept[Spent] = field(default_factory=lambda: Kept(KEEP_SECONDS, most=MOST_RUNS))
    _laws: dict[str, Constitution | Rubric] = field(default_factory=dict)

    @property
    def store(self) -> Any:
        """The project's store."""
        return self.project.store

    def look(
        self, connection: Connection, kept: Kept[T], key: Hashable, read: Callable[[Connection], T]
    ) -> Reading[T] | None:
        """Return what a function reads: at once where the store is small; in a large one what is kept of it, which a
        thread reads, and None where nothing was read yet."""
        if not are_many(connection):
            return Reading(read(connection))
        return kept.look(key, partial(self.read, read))

    def read(self, function: Callable[[Connection], T]) -> T:
        """Return what a function reads by a connection of its own."""
        with self.store.connect() as connection:
            return function(connection)

    @property
    def language(self) -> Language:
        """The language of the pages."""
        return read_language(self.options.language)

    @property
    def reviewers(self) -> ReviewersConfig:
        """Whose decision is final, as the project is configured now."""
        return self.project.config.reviewers

    def law(
        self, connection: Connection, constitution_id: str, rubric_id: str
    ) -> tuple[Constitution, Rubric]:
        """Return the constitution and rubric that an item is pinned to; versions never change, so each is read once."""
        for kind, model, law_id in (
            ("constitutions", Constitution, constitution_id),
            ("rubrics", Rubric, rubric_id),
        ):
            if law_id not in self._laws:
                self._laws[law_id] = model.model_validate(law_document(connection, kind, law_id))
        constitution, rubric = self._laws[constitution_id], self._laws[rubric_id]
        assert isinstance(constitution, Constitution)
        assert isinstance(rubric, Rubric)
        return constitution, rubric


def make_room(project: Project, options: Options) -> Room:
    """Return a server with all its parts; nothing runs yet.

    Raises:
        ConfigError: single sign-on is configured and something of it is missing.
        UsageError: there is no recipe of the name that `hand_in` gives.
    """
    from solon.review.checker import Checker
    from solon.review.handing_in import HandIns
    from solon.review.jobs import Jobs
    from solon.review.live import Live
    from solon.review.metrics import Metrics
    from solon.review.similar import Similar
    from solon.review.worker import Worker

    if options.hand_in:
        project.recipe(options.hand_in)
    key = sealing_key(project.store, "cookies")
    live = Live(project.store)
    return Room(
        project=project,
        options=options,
        tokens=TokenCheck(project.store),
        signer=URLSafeSerializer(key, salt="session"),
        csrf_key=sealing_key(project.store, "csrf"),
        live=live,
        metrics=Metrics(),
        worker=Worker(project, live, options.poll_seconds) if options.work else None,
        herald=Herald(project.store, options.hooks, options.poll_seconds) if options.hooks else None,
        jobs=Jobs(project, works=options.work),
        checker=Checker(project),
        hand_ins=HandIns(project, options.hand_in, works=options.work),
        similar=Similar(),
        sso=sso_of(project.store, project.config.sso),
    )


def get_room(request: Request) -> Room:
    """Return the server that a request came to."""
    room: Room = request.app.state.room
    return room
