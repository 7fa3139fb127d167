"""A review as its reviewer may see it before answering: no reason, no vote, no model, nobody else's answer.

Every kind of review gives the same keys; what it is here for cannot be told from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from solon.errors import UsageError
from solon.injection import find_orders
from solon.questions import PAIR, AcceptQuestion, question_of
from solon.responses import choices_of
from solon.review.auth import Caller, language_of
from solon.review.schemas.queue import (
    BlindItem,
    FirstAnswer,
    OrderOut,
    RemarkOut,
    SeedCriterionOut,
    ShownCandidate,
    ShownCriterion,
    ShownPrinciple,
    Turn,
)
from solon.review.state import Room
from solon.store.reviewing.answering import asks_why, needs_why
from solon.store.reviewing.disagreements import answered_before
from solon.store.reviewing.drafts import Lease, read_draft
from solon.store.reviewing.experts import ExpertRow
from solon.store.reviewing.manners import order_seen
from solon.store.reviewing.reading import (
    earlier_turns,
    read_candidates,
    read_proposed,
    request_of,
    seed_content,
    text_bodies,
    texts_shown,
)
from solon.store.reviewing.review_rows import ReviewRow, form_of, what_is_asked
from solon.store.reviewing.suggestions import suggest
from solon.store.runs.seed_rubrics import seed_rubrics_on

if TYPE_CHECKING:
    from solon.store.database.engine import Connection


def show_blind(
    room: Room, connection: Connection, lease: Lease, review: ReviewRow, caller: Caller
) -> BlindItem:
    """Return a review with what its reviewer needs to answer it, and nothing more."""
    expert = caller.expert
    item, content = seed_content(connection, review.item_id)
    constitution, rubric = room.law(connection, item["constitution_id"], item["rubric_id"])
    single = isinstance(question_of(review.response_schema), AcceptQuestion)
    shown = read_candidates(connection, shown_order(room, connection, review, expert))
    prompt, asked_of = request_of(shown, content)
    of_seed = not any(one.prompt for one in shown)
    own = seed_rubrics_on(connection, [review.item_id]).get(review.item_id) if of_seed else None
    if own:
        texts_of = [(name, one.text, one.scores) for name, one in zip(own.ids(), own.criteria, strict=True)]
    else:
        texts_of = [(c.id, c.text, {str(k): v for k, v in c.anchors.items()}) for c in rubric.criteria]
    criteria = [ShownCriterion(id=name, text=text, anchors=scores) for name, text, scores in texts_of]
    proposed = read_proposed(connection, review)
    turns = earlier_turns(content)
    looks = room.project.config.looks_for_orders
    texts = texts_shown(prompt, asked_of, shown, turns, own.as_prompt() if own else "") if looks else {}
    return BlindItem(
        assignment=lease.id,
        review=review.id,
        token=lease.token,
        leased_until=round(lease.expires_at, 3),
        answer_schema=review.response_schema,
        choices=list(choices_of(review.response_schema)),
        fields=form_of(review),
        recipe=review.recipe,
        prompt=prompt,
        turns=[Turn(**turn) for turn in turns],
        input=asked_of,
        asks=what_is_asked(review),
        reference=shown_reference(room, review, content),
        candidates=[ShownCandidate(id=one.id, text=one.text, prompt=one.prompt) for one in shown],
        constitution=f"{constitution.name} {constitution.version}",
        principles=[ShownPrinciple(id=p.id, text=p.text) for p in constitution.ordered()],
        criteria=criteria if single else [],
        rubric=[SeedCriterionOut(**told) for told in (own.told() if own else ())],
        rationale_wanted=asks_why(room.store, review, expert.actor),
        rationale_for=list(needs_why(room.store, review, expert.actor)),
        may_check=may_check(room, expert),
        draft=read_draft(connection, lease),
        suggestion=show_suggestion(room, connection, lease, review, caller),
        remarks=[RemarkOut(**finding) for finding in proposed.findings],
        fix=proposed.fix,
        first=tell_first(room, connection, review, expert),
        orders=[OrderOut(**told) for told in find_orders(texts)],
    )


def may_check(room: Room, expert: ExpertRow) -> bool:
    """Return whether a model may read this person's answers before they are sent: whose answer is a vote gives it
    alone, since votes are weighed as opinions that do not hang together."""
    return bool(room.options.check) and expert.believed(room.reviewers).final


def tell_first(
    room: Room, connection: Connection, review: ReviewRow, expert: ExpertRow
) -> FirstAnswer | None:
    """Return what somebody else answered before, where further people are told that; else None."""
    first = answered_before(connection, review, expert.actor) if room.options.tells_first else None
    if first is None:
        return None
    bodies = text_bodies(connection, [first.edit_id, first.rationale_id])
    return FirstAnswer(
        choice=first.choice,
        text=bodies.get(first.edit_id, ""),
        rationale=bodies.get(first.rationale_id, ""),
    )


def show_suggestion(
    room: Room, connection: Connection, lease: Lease, review: ReviewRow, caller: Caller
) -> str:
    """Return what the panel suggests to this person before the answer, in words; empty where nothing is shown, as to
    whoever's answer is a vote."""
    if not caller.expert.believed(room.reviewers).final:
        return ""
    outcome = suggest(connection, room.store.key, lease, review, room.options.suggestion)
    return spell_suggestion(room, connection, review, caller, outcome)


def spell_suggestion(
    room: Room, connection: Connection, review: ReviewRow, caller: Caller, outcome: str | None
) -> str:
    """Return an outcome in words: of a pair, by the place at which this person sees the answer."""
    say = language_of(room, caller)
    if outcome and question_of(review.response_schema) == PAIR:
        shown = review.candidates[PAIR.outcomes.index(outcome)]
        place = shown_order(room, connection, review, caller.expert).index(shown) + 1
        return say.gettext("Answer %(place)s") % {"place": place}
    return say.word(outcome or "")


def shown_reference(room: Room, review: ReviewRow, content: Mapping[str, Any]) -> str:
    """Return the seed's reference answer; empty where there is none, or where the recipe does not show it."""
    try:
        shows = room.project.recipe(review.recipe).shows_reference
    except UsageError:  # a recipe of somebody's own that this server was not given
        shows = False
    return str(content.get("reference") or "") if shows else ""


def shown_order(room: Room, connection: Connection, review: ReviewRow, expert: ExpertRow) -> list[str]:
    """Return the candidates' ids in an order drawn for this review and this person, the same whenever they look."""
    return order_seen(connection, room.store.key, review, expert.actor)
