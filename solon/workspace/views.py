"""What a project tells from its store: where a run stands, items, and reviews as a person sees them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.config import BUILTIN_NOTE
from solon.config.pinned import list_differences
from solon.display.notebook import card, passage, side_by_side, spell_cell, table
from solon.display.text import shorten
from solon.errors import UsageError
from solon.injection import find_orders
from solon.law.seed_rubrics import criteria_lines
from solon.questions import PAIR, STANDS

if TYPE_CHECKING:
    from solon.config import Config
    from solon.config.sections import PrivacyConfig
    from solon.store.database.engine import Connection
    from solon.store.database.store import Store
    from solon.store.learning.adoption import TakenOut
    from solon.store.records.overview import Filtered, Unusable
    from solon.store.reviewing.budget import BudgetRound
    from solon.store.reviewing.review_rows import ReviewRow
    from solon.store.runs.run_row import RunRow
    from solon.store.runs.runs import Spent

SHORT = 60
"""Characters of a request where an object is named in one line."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Where a run stands.

    The states sum to `items`: accepted + rejected + pending_review + failed + queued + forgotten.

    Attributes:
        run_id, recipe: of the run.
        items: all of them.
        accepted: items with a record.
        rejected: items that the panel or a person refused.
        pending_review: items that wait for a person.
        failed: items without a result, with those `parked` and `held`.
        parked: what a model's failure stopped and `resume` tries again.
        held: what the privacy scan keeps until a named person releases or rejects it.
        queued: items that are not done yet, or under way.
        provisional: accepted items that no certificate covers.
        bad_rows: rows of the seeds that could not be used.
        bad_rows_file: where they are named; None where there are none.
        decisions_to_apply: decisions that `resume` or a worker has still to bring to their items.
        carried: decisions taken over from earlier runs without asking anyone again.
        model_calls: that were sent.
        input_tokens, output_tokens, tokens: of these calls; `tokens` is both.
        cached_tokens: those of `input_tokens` that providers read from their caches, as far as they tell.
        usage_not_told: calls whose tokens the server did not tell: they are estimated, and the cost with them.
        cost: of these calls, in the currency of the prices; None where a price is unknown.
        seconds: the time spent working on the run, over all sessions.
        stopped_because: what ended the last session early; None where nothing did.
        worker: `why` decisions wait to be applied, and when a worker said so (`at`, epoch seconds; None where single
            decisions failed); None where none waits, or nothing is known of it.
        promise: of the certificate in force (`agreement`, `confidence`, `threshold`, `certificate`, and as `ceiling`
            what experts agree among themselves); None without one.
        suspended: where there is none: the `certificate` that does not count for the run, `why`, what brings it `back`,
            and how many random `probes` would; all of it in words as `told`. None where there was none.
        unsafe: among accepted records, `flagged` of `audited` at random, the `rate`, its exact 95% upper bound
            `at_most`, and `known`, flagged by whatever way.
        more_decisions: whether they still pay (`stop`, `pays`, `why`), as of the newest consensus version.
        earlier_runs: of `resume`, how many decisions on items of earlier runs were applied too, by run; None where none
            was looked for.
        notes: what to know of the models that were asked and of the seeds.
        forgotten: items whose seeds were forgotten, whatever was found of them.
        queue: what waits for people, audits and second opinions included: `reviews`, `minutes` (`measured` or assumed),
            the same `by_kind`, and as `left_by_budget` what is left when the first `budget` of them are answered; None
            where nothing waits.
        taken_out: records that learning took out of the set, by reason (`unsure`, `turned`), and how many of these
            items have none now (`without_record`); None where there are none.
        budget_round: which round of its budget the run is in (`number` `of`, questions `open` and `asked`); None
            without rounds.
        held_back: of those `pending_review`, judged items that a budget holds back: nobody is asked about them yet.
        disputed: questions on which people differ and that wait for a lead.
        unusable: models and functions that gave nothing usable: `role`, `model`, on how many `texts` of those `asked`
            about, and the first `error`.
        filtered: filters that dropped anything: `name`, how many texts it `dropped`, of how many `texts` they looked
            at.
    """

    run_id: str
    recipe: str
    items: int
    accepted: int
    rejected: int
    pending_review: int
    failed: int
    parked: int
    held: int
    queued: int
    provisional: int
    bad_rows: int
    bad_rows_file: str | None
    decisions_to_apply: int
    carried: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    tokens: int
    cost: float | None
    seconds: float
    stopped_because: str | None
    cached_tokens: int = 0
    worker: dict[str, Any] | None = None
    promise: dict[str, Any] | None = None
    unsafe: dict[str, Any] | None = None
    more_decisions: dict[str, Any] | None = None
    earlier_runs: dict[str, int] | None = None
    notes: tuple[str, ...] = ()
    forgotten: int = 0
    queue: dict[str, Any] | None = None
    usage_not_told: int = 0
    taken_out: TakenOut | None = None
    unusable: tuple[Unusable, ...] = ()
    budget_round: BudgetRound | None = None
    held_back: int = 0
    disputed: int = 0
    suspended: dict[str, Any] | None = None
    filtered: tuple[Filtered, ...] = ()

    def to_json(self) -> str:
        """The fields as one JSON object."""
        return json.dumps(asdict(self))

    def __repr__(self) -> str:
        return f"RunSummary({self.run_id!r}, {self.recipe!r}, {self.items} items: {self._spell_states()})"

    def _spell_states(self) -> str:
        states = ("accepted", "rejected", "pending_review", "failed", "queued")
        spelt = ", ".join(f"{getattr(self, state)} {state.replace('_', ' ')}" for state in states)
        return f"{spelt}, {self.forgotten} forgotten" if self.forgotten else spelt

    def spell_waiting(self) -> str:
        """How many items wait for people, and for how many of these nobody is asked yet."""
        told = f"{self.pending_review} waiting for review"
        if not self.held_back:
            return told
        when = "until a later round" if self.budget_round else "until all are judged"
        return f"{told} ({self.held_back} of these held back under the budget {when})"

    def spell_spending(self) -> str:
        """Tokens and cost in words; what the servers did not tell is said to be estimated."""
        cached = f" ({self.cached_tokens} from the provider's cache)" if self.cached_tokens else ""
        tokens = f"{self.input_tokens}{cached} + {self.output_tokens} tokens"
        if not self.usage_not_told:
            return (
                f"{tokens}, "
                f"{'cost unknown (no price for a model)' if self.cost is None else f'cost {self.cost:.4f}'}"
            )
        cost = (
            "unknown (a model has no [models.*.price])" if self.cost is None else f"{self.cost:.4f} by that"
        )
        return f"{tokens} (usage not told for {self.usage_not_told} calls: estimated, rather too high), cost {cost}"

    def spell_taken_out(self) -> str | None:
        """How many records learning took out of the set, and why, in words; None where there are none."""
        out = self.taken_out
        return f"{out}; {out.without_record} of these items have no record now" if out else None

    def spell_disputed(self) -> str | None:
        """How many questions wait for a lead because people differ, in words; None where there are none."""
        if not self.disputed:
            return None
        return f"questions on which people differ, for a lead to settle: {self.disputed}"

    def spell_filtered(self) -> str:
        """What each filter dropped, in words; empty where none dropped anything."""
        return ", ".join(map(str, self.filtered))

    def spell_unusable(self) -> list[str]:
        """A line for each model or function that gave nothing usable: on how many texts, and its first error."""
        return [shorten(one, 250) for one in self.unusable]

    def _repr_html_(self) -> str:
        facts = {
            f"{self.items} items": self._spell_states(),
            "forgotten": self.forgotten or None,
            "provisional": self.provisional or None,
            "taken out": self.spell_taken_out(),
            "carried over": self.carried or None,
            "bad rows": f"{self.bad_rows}, see {self.bad_rows_file}" if self.bad_rows else None,
            "calls": f"{self.model_calls} model calls, {self.spell_spending()}, {self.seconds:.1f} s of work",
            "filters": self.spell_filtered(),
            "nothing usable": "; ".join(self.spell_unusable()),
            "budget": self.budget_round and str(self.budget_round),
            "queue": self.queue and spell_queue(self.queue),
            "disputed": self.spell_disputed(),
            "decisions to apply": self.decisions_to_apply or None,
            "not applied": self.worker and self.worker["why"],
            "stopped": self.stopped_because,
            "note": "; ".join(self.notes),
        }
        return card(f"run {self.run_id} ({self.recipe})", facts)


def spell_queue(queue: dict[str, Any]) -> str:
    """The queue of a run in a sentence: how much, why, and what a budget leaves of it."""
    kinds = ", ".join(f"{told['reviews']} {kind}" for kind, told in queue["by_kind"].items())
    if queue["orders"]:
        kinds += f"; {queue['orders']} with words that give orders, `solon review list --reason injection`"
    left = queue["left_by_budget"]
    some = f"leaves {left['reviews']}, about {left['minutes']:.0f} minutes"
    return (
        f"{queue['reviews']} reviews ({kinds}), about {queue['minutes']:.0f} minutes "
        f"({'measured' if queue['measured'] else 'assumed'}); a budget of {queue['budget']} "
        f"{some if left['reviews'] else 'covers them'}"
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate as a reviewer sees it."""

    id: str
    text: str
    prompt: str

    def _repr_html_(self) -> str:
        return card(f"candidate {self.id}", {}, passage("text", self.text))


@dataclass(frozen=True, slots=True)
class Review:
    """A review with what is needed to answer it.

    Attributes:
        id, item_id, recipe: of the review, its item and its run's recipe.
        prompt: the request that the candidates answer.
        turns: what was said before it, each with `role` and `content`; the system's text, too.
        said: what a person said last: the prompt, unless that is a tool's result.
        input: what the request is about; empty where the seed has none.
        candidates: in the order in which they are shown.
        choices: the answers that there are, besides skip, decline and escalate.
        reasons: why a person is asked, in words; empty for whoever answers by their token.
        state: waiting, applied, withdrawn, ...
        kind: why somebody is asked (pilot, unsure, audit, second opinion, ...); None for reviewers, to whom audits look
            like everything else.
        asks: of a request of which nothing is drafted yet, what has to be decided about it; empty otherwise.
        asks_label: whether the choices are labels.
        ranked_by: the names of the questions by each of which the candidates are ranked (empty of one without a name);
            empty where nothing is ranked.
        rationale_for: the choices that are refused without a reason; known of whoever answers by their token.
        suggestion: what the panel suggests, as `open_review` shows it; empty where nothing is shown.
        findings: what was found in the candidate, each with principle, quote, severity and suggestion, where the recipe
            shows that to whoever answers.
        fix: the candidate as a model would have it, to be taken by an edit with this text; empty where there is none.
        evidence: the words that the decision points to, each with candidate, start, end, flag and quote; empty while it
            waits, and for reviewers.
        orders: words of these texts that give orders to models, see `solon.injection.find_orders`.
        rubric: the criteria of this request with their weights, a line each, where the seed brought a rubric and judges
            go by it; else empty.
        asks_rubric: it asks for the criteria themselves, with a model's draft of them in `asks`.
    """

    id: str
    item_id: str
    recipe: str
    prompt: str
    input: str
    candidates: tuple[Candidate, ...]
    choices: tuple[str, ...]
    reasons: tuple[str, ...]
    state: str
    kind: str | None = None
    asks: str = ""
    asks_label: bool = False
    ranked_by: tuple[str, ...] = ()
    rationale_for: tuple[str, ...] = ()
    suggestion: str = ""
    findings: tuple[dict[str, str], ...] = ()
    fix: str = ""
    evidence: tuple[dict[str, Any], ...] = ()
    turns: tuple[dict[str, str], ...] = ()
    said: str = ""
    orders: tuple[dict[str, Any], ...] = ()
    rubric: tuple[str, ...] = ()
    asks_rubric: bool = False

    @property
    def asks_spans(self) -> bool:
        """Whether it asks if marked spans stand."""
        return STANDS in self.choices and not self.asks_label

    def __repr__(self) -> str:
        return f"Review({self.id!r}, {self.recipe!r}, {self.state!r}, {shorten(self.prompt, SHORT)!r})"

    def _repr_html_(self) -> str:
        candidates = (
            passage(
                f"candidate {number}: {candidate.id}",
                candidate.text
                if candidate.prompt == self.prompt
                else f"{candidate.prompt}\n\n{candidate.text}",
            )
            for number, candidate in enumerate(self.candidates, start=1)
        )
        facts = {
            "kind": self.kind,
            "may it go on?": self.asks or None,
            "why": "; ".join(self.reasons),
            "choices": ", ".join(self.choices),
        }
        texts = [passage(turn["role"], turn["content"]) for turn in self.turns]
        texts += [passage("request", self.prompt), *([passage("input", self.input)] if self.input else [])]
        title = f"review {self.id} ({self.recipe}, {self.state})"
        return card(title, facts, *texts, side_by_side(candidates))


@dataclass(frozen=True, slots=True)
class Item:
    """One seed on its way.

    Attributes:
        id, run_id, recipe: of the item, its run and its recipe.
        seed: the id that the seed file gave.
        prompt: the request.
        state: queued, running, waiting, accepted, rejected, failed, parked or forgotten.
        route: the way that the policy chose; None before that.
        reason: why it stands where it stands; None where nothing needs saying.
        attempt: counts how often its graph was begun anew, from 0.
        way: what `Project.trace` tells of it; None in a list of items.
    """

    id: str
    run_id: str
    recipe: str
    seed: str
    prompt: str
    state: str
    route: str | None
    reason: str | None
    attempt: int
    way: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"Item({self.id!r}, {self.recipe!r}, {self.state!r}, {shorten(self.prompt, SHORT)!r})"

    def _repr_html_(self) -> str:
        facts = {"seed": self.seed, "run": self.run_id, "route": self.route, "reason": self.reason}
        parts = [passage("request", self.prompt)]
        if self.way is not None:
            parts += tell_way(self.way)
        return card(f"item {self.id} ({self.recipe}, {self.state})", facts, *parts)


def tell_way(way: dict[str, Any]) -> list[str]:
    """Candidates, then what was found of them and decided, by the candidates' numbers, each with who wrote it."""
    drafts = (
        passage(
            f"candidate {n} ({c['kind']}, round {c['round']}, by {c['author']})", c["text"] or "(forgotten)"
        )
        for n, c in enumerate(way["candidates"], start=1)
    )
    tables = (
        f"<p>{title}</p>{table(columns, [[spell_cell(cell) for cell in row] for row in rows])}"
        for title, columns, rows in _tables_of(way)
        if rows
    )
    return [side_by_side(drafts), *tables]


def _tables_of(way: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]]:
    """Title, columns and rows of what was found and decided, in which candidates have numbers."""
    numbers = {candidate["id"]: str(n) for n, candidate in enumerate(way["candidates"], start=1)}

    def name(candidate_id: str | None) -> str:
        return numbers.get(candidate_id or "", "-")

    def outcome(row: dict[str, Any]) -> str:
        sides = dict(zip(PAIR.outcomes, (name(row["a_id"]), name(row["b_id"])), strict=True))
        return str(row["abstained"] or sides.get(row["outcome"], row["outcome"]))

    def scores(row: dict[str, Any]) -> str:
        given = ", ".join(f"{k} {v:g}" for k, v in (row["scores"] or {}).items())
        return given or row["abstained"] or row["outcome"]

    critiques = [
        (
            name(c["candidate_id"]),
            c["model"],
            c["abstained"] or c["worst"],
            ", ".join(c["principles"] or ()),
            c["text"],
        )
        for c in way["critiques"]
    ]
    yield "Critiques", ("candidate", "by", "worst", "principles", "findings"), critiques
    scored = [(name(s["a_id"]), s["seat"], s["judge"], scores(s)) for s in way["shortlist"]]
    yield "Scores of the shortlist", ("candidate", "seat", "judge", "scores"), scored
    verdicts = [
        (v["seat"], v["judge"], v["order"], outcome(v), v["p"], v["rationale"]) for v in way["verdicts"]
    ]
    yield "Verdicts", ("seat", "judge", "order", "for", "p of the first", "rationale"), verdicts
    resolutions = [
        (
            r["model"],
            r["outcome"] or name(r["favours_id"]),
            ", ".join(r["cites"] or ()),
            r["handed_over"],
            r["text"],
        )
        for r in way["resolutions"]
    ]
    yield "Resolutions", ("by", "favours", "cites", "handed over", "why"), resolutions
    decisions = [
        (d["choice"], name(d["candidate_id"]), d["actor"], d["channel"], d["rationale"])
        for d in way["decisions"]
    ]
    yield "Decisions", ("choice", "candidate", "by", "channel", "rationale"), decisions


def summarize(
    store: Store,
    run_id: str | None,
    bad_rows_file: Callable[[str], Path],
    config: Config,
    budget: int | None = None,
    used: Spent | None = None,
) -> RunSummary:
    """Where a run (default: the newest) stands, read from the store.

    Args:
        config: this session's.
        budget: reviews that people have time for; default: `routing.budget`.
        used: what the run has spent, where that was read just now.
    """
    from solon.learning.why_suspended import read_suspension
    from solon.store.records.audits import tell_unsafe
    from solon.store.records.counts import count_taken_out
    from solon.store.records.overview import count_filtered, unusable_answers
    from solon.store.reviewing import budget as budgets
    from solon.store.reviewing import disagreements, reuse, reviews, worker_problems
    from solon.store.reviewing.queue_figures import sum_queue
    from solon.store.runs import certificates, holds, items, runs

    with store.connect() as connection:
        run = runs.find_run(connection, run_id)
        counts = items.count_states(connection, run.id)
        used = used or runs.spent(connection, run.id)
        provisional = items.count_provisional(connection, run.id)
        waiting = reviews.pending_deliveries(connection, run.id)
        stopped = worker_problems.why_waiting(connection, run.id) if waiting else None
        carried, own = reuse.count_carried(connection, run.id)
        held = holds.count_held(connection, run.id)
        promise = certificates.certificate_of(connection, run)
        suspended = read_suspension(connection, run, config.reviewers)
        more_decisions = _tell_more_decisions(connection, run)
        unsafe = tell_unsafe(connection, run.id)
        taken_out = count_taken_out(connection, run.id)
        unusable = unusable_answers(connection, run.id)
        filtered = count_filtered(connection, run.id)
        notes = tuple(_notes_on(connection, run, used.builtin, config.privacy, bool(filtered), own))
        routing, wanted = config.routing, config.routing.review_budget if budget is None else budget
        queue = sum_queue(connection, run.id, run.recipe, wanted, routing.review_seconds)
        budget_round = budgets.find_round(connection, run.id, routing)
        held_back = budgets.count_held_back(connection, run.id)
        disputed = disagreements.count_disputes(connection, run.id)
    return RunSummary(
        run_id=run.id,
        recipe=run.recipe,
        items=sum(counts.values()),
        accepted=counts["accepted"],
        rejected=counts["rejected"],
        pending_review=counts["waiting"],
        failed=counts["failed"] + counts["parked"],
        parked=counts["parked"] - held,
        held=held,
        queued=counts["queued"] + counts["running"],
        forgotten=counts["forgotten"],
        provisional=provisional,
        bad_rows=run.bad_rows,
        bad_rows_file=str(bad_rows_file(run.id)) if run.bad_rows else None,
        decisions_to_apply=waiting,
        carried=carried,
        model_calls=used.calls,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        tokens=used.input_tokens + used.output_tokens,
        cached_tokens=used.cached_tokens,
        cost=used.cost if not used.unpriced else None,
        seconds=round(run.active_seconds, 3),
        stopped_because=run.stopped_because,
        worker=asdict(stopped) if stopped else None,
        promise=promise.to_promise() if promise else None,
        unsafe=unsafe,
        more_decisions=more_decisions,
        notes=notes,
        queue=queue,
        taken_out=taken_out,
        usage_not_told=used.unknown_tokens,
        unusable=unusable,
        budget_round=budget_round,
        held_back=held_back,
        disputed=disputed,
        suspended=suspended.to_json() if suspended else None,
        filtered=filtered,
    )


def _tell_more_decisions(connection: Connection, run: RunRow) -> dict[str, Any] | None:
    """Whether more decisions still pay, as `RunSummary` tells it."""
    from solon.store.runs.certificates import newest_stopping

    stopping = newest_stopping(connection, run.scope)
    return stopping and {
        "stop": stopping["stop"],
        "pays": stopping.get("pays", not stopping["stop"]),
        "why": stopping["why"],
    }


def _notes_on(
    connection: Connection, run: RunRow, builtin_calls: int, privacy: PrivacyConfig, filtered: bool, own: int
) -> Iterator[str]:
    """What to know of a run's models and seeds, of the filters where these dropped something, and of answers that were
    taken over within it (`own`), besides its figures."""
    from solon.store.learning.rerouting import last_rerouting
    from solon.store.records.overview import tell_all_dropped
    from solon.store.runs.runs import config_payload, has_subjects
    from solon.store.runs.verdicts import count_debates, tell_not_asked

    if own:
        yield (
            f"{own} answers were taken over within the run, so that nobody is asked twice: from the audit of an item's "
            "earlier record, or from another item of its seed"
        )
    if builtin_calls:
        yield f"{BUILTIN_NOTE}; it answered {builtin_calls} of the calls"
    stored = config_payload(connection, run.config_id)
    if moved := last_rerouting(connection, run.id):
        changed = list_differences(
            config_payload(connection, moved["from"]), config_payload(connection, moved["to"])
        )
        yield f"{changed}: {moved['items']} items were routed again"
    if (stored.get("consensus") or {}).get("debate") and (debates := count_debates(connection, run.id)):
        yield f"debates of judges who disagreed, after which they voted again: {debates}"
    if (stored.get("consensus") or {}).get("stop") and (told := tell_not_asked(connection, [run.id])):
        yield told
    began_as = stored.get("privacy", {}).get("class", "synthetic")
    if began_as == privacy.class_ == "synthetic" and has_subjects(connection, run.id):
        yield "seeds have a `subject`, and [privacy] class is synthetic: they are not scanned"
    if filtered and (all_dropped := tell_all_dropped(connection, run.id)):
        yield all_dropped


def view_review(
    store: Store,
    row: ReviewRow,
    *,
    actor: str | None = None,
    blind: bool = False,
    kinds: bool = False,
    orders: bool = True,
) -> Review:
    """A review with the texts of its request and candidates.

    Args:
        actor: the holder of a token (`expert:ID`), who sees the candidates at the places that they have on the page;
            None: in the order of the store.
        blind: without what the panel says of it.
        kinds: with why somebody is asked.
        orders: with the words that give orders to models.
    """
    from solon.responses import RUBRIC, choices_of, is_label, ranked_by
    from solon.store.reviewing.manners import order_seen
    from solon.store.reviewing.queue_figures import kind_told
    from solon.store.reviewing.reading import (
        decided_evidence,
        earlier_turns,
        read_candidates,
        read_proposed,
        request_of,
        tell_handed_over,
        texts_shown,
    )
    from solon.store.reviewing.review_rows import what_is_asked
    from solon.store.runs.items import load_items
    from solon.store.runs.seed_rubrics import seed_rubrics_on

    item = load_items(store, [row.item_id])[0]
    with store.connect() as connection:
        order = row.candidates if actor is None else order_seen(connection, store.key, row, actor)
        shown = read_candidates(connection, order)
        proposed = read_proposed(connection, row)
        own = seed_rubrics_on(connection, [row.item_id]).get(row.item_id)
        handed = tell_handed_over(connection, row.item_id, row.id) if row.escalated and not blind else []
        evidence = decided_evidence(connection, row.decision_id) if row.decision_id and not blind else []
    reasons = (*(reason["text"] for reason in row.reasons or ()), *handed)
    prompt, asked_of = request_of(shown, item.content)
    own = None if any(one.prompt for one in shown) else own
    rubric = own.as_prompt() if own else ""
    turns = earlier_turns(item.content)
    ends_with_tool = (item.content.get("messages") or [{}])[-1].get("role") == "tool"
    said = turns if ends_with_tool else []
    candidates = tuple(Candidate(one.id, one.text, one.prompt or prompt) for one in shown)
    return Review(
        id=row.id,
        item_id=row.item_id,
        recipe=row.recipe,
        prompt=prompt,
        input=asked_of,
        candidates=candidates,
        choices=choices_of(row.response_schema),
        reasons=() if blind else reasons,
        state=row.state,
        kind=kind_told(row.kind, row.rule, row.response_schema) if kinds else None,
        asks=what_is_asked(row),
        asks_label=is_label(row.response_schema),
        ranked_by=(ranked_by(row.response_schema) or (0, ()))[1],
        findings=proposed.findings,
        fix=proposed.fix,
        evidence=tuple(evidence),
        turns=tuple(turns),
        said=next((turn["content"] for turn in reversed(said) if turn["role"] == "user"), prompt),
        orders=tuple(find_orders(texts_shown(prompt, asked_of, shown, turns, rubric))) if orders else (),
        rubric=tuple(criteria_lines(own.told())) if own else (),
        asks_rubric=row.response_schema == RUBRIC,
    )


def spell_outcome(review: Review, row: ReviewRow, outcome: str) -> str:
    """An outcome of a review in words: of a pair, by the place at which its candidate is shown; empty of none."""
    if outcome in PAIR.outcomes and not review.asks_label and len(review.candidates) == 2:
        shown = [candidate.id for candidate in review.candidates]
        return f"candidate {shown.index(row.candidates[PAIR.outcomes.index(outcome)]) + 1}"
    return outcome


def check_state(noun: str, state: str, states: Sequence[str]) -> None:
    """Refuse the name of a state that there is not.

    Raises:
        UsageError: naming the nearest one, and all.
    """
    if state in states:
        return
    near = difflib.get_close_matches(state, states, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"no {noun} is ever {state!r}", next_step=f"{guess}states: {', '.join(states)}")


def find_wanted(
    store: Store,
    *,
    run_id: str | None,
    recipe: str | None,
    constitution: str | None = None,
    as_of: str | float | None = None,
    all_runs: bool = False,
) -> dict[str, Any]:
    """Names of a run, a version and a time as `solon.store.records.exporting.Which` takes them.

    Raises:
        UsageError: there is no such run, recipe or version, the time cannot be read, or one run and all runs are asked
            for.
    """
    if run_id is not None and all_runs:
        raise UsageError("one run and all runs are asked for", next_step="give --run or --all-runs, not both")
    from solon.recipes.registry import SHIPPED
    from solon.store.runs.laws import find_version
    from solon.store.runs.runs import find_run, recipes_of_runs

    with store.connect() as connection:
        run = find_run(connection, run_id).id if run_id is not None else None
        begun = recipes_of_runs(connection) if recipe is not None else []
        law = find_version(connection, "constitution", constitution) if constitution is not None else None
    if constitution is not None and law is None:
        raise UsageError(
            f"the store has no constitution {constitution!r}", next_step="see `solon constitution history`"
        )
    if begun and recipe not in (*begun, *SHIPPED):
        raise UsageError(
            f"no run of the store is of the recipe {recipe!r}",
            next_step=f"its runs are of: {', '.join(begun)}",
        )
    at = read_time(as_of) if isinstance(as_of, str) else as_of
    return {
        "run_id": run,
        "recipe": recipe,
        "constitution": law.id if law else None,
        "as_of": at,
        "all_runs": all_runs,
    }


def read_time(told: str) -> float:
    """A date (its end, UTC) or a date with time (UTC where it names no zone) as epoch seconds.

    Raises:
        UsageError: it is neither.
    """
    try:
        at = datetime.fromisoformat(told.strip())
    except ValueError:
        raise UsageError(
            f"{told!r} is no date", next_step="give 2026-11-21 (its end, UTC) or 2026-11-21T09:30"
        ) from None
    if len(told.strip()) <= len("2026-11-21"):
        at += timedelta(days=1)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
