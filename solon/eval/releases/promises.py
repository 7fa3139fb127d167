"""A promise about a released set: its records are frozen, a random sample of them is asked, and what follows is exact.

The first call freezes the set and opens the reviews of its sample; the same call, once they are answered, writes the
release with the sentence, the sample and the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.consensus.finite import Plan, most_allowed
from solon.consensus.target import read_target
from solon.display.text import moment
from solon.errors import SolonError, UsageError
from solon.eval.releases.releases import (
    Check,
    Promised,
    Verification,
    check_new,
    create_release,
    is_sealed,
    read_manifest,
    read_rows,
    survey_records,
    verify_release,
)
from solon.eval.releases.signatures import check_signatures
from solon.eval.releases.standing import (
    ASKED,
    EXPERTS,
    GRANTED,
    OPEN,
    RIGHT,
    WRONG,
    Finding,
    KnownSet,
    Standing,
    know_set,
    plan_of,
)
from solon.store.records import checking, release_sets, releasing
from solon.store.records.release_sets import FrozenRecord, FrozenSet, content_of, digest_of
from solon.store.reviewing.experts import list_experts
from solon.store.runs.certificates import wanted_by
from solon.store.runs.runs import find_run

if TYPE_CHECKING:
    from solon.config.sections import ReviewersConfig
    from solon.eval.releases.benchmark import Gate
    from solon.store.database.engine import Connection
    from solon.store.database.store import Store
    from solon.store.records.checking import RecordQuestion

METHOD = (
    "Records that experts decided or confirmed are right by definition. The others were tested on a simple random "
    "sample without replacement, drawn after the set was frozen, by the exact hypergeometric bound (Buonaccorsi 1987)"
)
DOES_NOT_SAY = (
    "that the records are true: it speaks of agreement with these experts, who may err together",
    "anything of other records: it speaks of this set, as its files and hashes have it",
    "that each part is as good as the whole: a field, a language or a kind of record may be worse, above all one that "
    "nobody decided or was asked about",
    "which records are wrong: those that were found are left out, the others are not known",
)
SHOWN = (0.99, 0.97)
"""Shares of agreement at which a plan says how probably it succeeds."""


class PromiseRefused(SolonError):
    """The sample of a frozen set does not show what was to be promised."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The promise that is wanted of a release.

    Attributes:
        promise: the share of its records that agrees with the experts, in (0, 1).
        confidence: of that, in (0, 1).
        slips: disagreements that the first look at the sample leaves room for.
        dry_run: only say what would be asked.
        settle: a smaller promise than was planned is written although open answers could still show the planned one.
    """

    promise: float
    confidence: float
    slips: int
    dry_run: bool = False
    settle: bool = False


def create_promised(
    store: Store,
    name: str,
    folder: Path,
    wanted: Wanted,
    *,
    actor: str,
    reviewers: ReviewersConfig,
    schema_of: Callable[[RecordQuestion], str],
    gate: Gate | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Freeze the set and ask its sample; or, where that is answered, write the release, and return its manifest.

    Args:
        reviewers: whose answers decide.
        schema_of: the response schema of a record that nobody was asked about yet.
        options: of `create_release`.

    Returns:
        The manifest. Where answers are missing yet, or with `dry_run`, only `name` and `promise`, with the plan.

    Raises:
        ConfigError: the promise, the confidence or the slips are none.
        UsageError: nobody can be asked, the runs promise something else, other records were frozen under the name, or
            answers that could show the planned promise are still open.
        PromiseRefused: the answers do not show it; it says what they do show.
    """
    with store.connect() as connection:
        frozen = release_sets.find_pending(connection, name)
        sealed = releasing.find_release(connection, name) is not None
    if sealed:  # by an earlier call, which was ended before it was in its place
        manifest = create_release(store, name, folder, actor=actor, gate=gate, **options)
        _close(store, frozen, release_sets.WRITTEN, actor, manifest.get("promise") or {})
        return manifest
    present = survey_records(store, gate=gate, **options)
    said = _spell_options(options)
    if frozen is None:
        check_new(store, name, folder)
        frozen = _freeze(store, name, present, wanted, said, actor, reviewers)
    _check_wanted(frozen, wanted, said)
    with store.connect() as connection:
        known = know_set(connection, store.key, frozen, present, reviewers)
    finding = known.look(wanted.promise)
    if finding.state == ASKED and not wanted.dry_run:
        _ask(store, frozen, known, finding, schema_of)
    if finding.state == ASKED or wanted.dry_run:
        state = "planned" if wanted.dry_run else finding.state
        return {"name": name, "promise": {"state": state, **_tell_asked(frozen, finding)}}
    if finding.state != GRANTED:
        _close(store, frozen, release_sets.REFUSED, actor, _figures(finding))
        raise _refusal(finding, wanted)
    _check_settled(frozen, known, wanted)
    section = _section(frozen, finding, wanted)
    promised = Promised(finding.now.records, finding.now.left_out, section)
    manifest = create_release(store, name, folder, actor=actor, gate=gate, promised=promised, **options)
    _close(store, frozen, release_sets.WRITTEN, actor, section)
    return manifest


def _close(store: Store, frozen: FrozenSet | None, state: str, actor: str, result: Mapping[str, Any]) -> None:
    if frozen is not None:
        with store.transaction() as connection:
            release_sets.close_set(store, connection, frozen, state, actor, result)


def withdraw_promised(store: Store, name: str, *, actor: str) -> int:
    """Give up a frozen set, and take its open questions out of the queue; returns how many there were.

    Where any was answered, this counts as an attempt at its records: a later one has less error to spend.

    Raises:
        UsageError: no set of this name waits.
    """
    with store.transaction() as connection:
        frozen = release_sets.find_pending(connection, name)
        if frozen is None:
            raise UsageError(
                f"no set is frozen for a release {name!r}", next_step="see `solon release create`"
            )
        plan, target = plan_of(frozen), read_target(frozen.target)
        order = frozen.draw(store.key)[: plan.looks[-1].asked] if plan.looks else []
        most = max(target.experts, target.audited_by)
        questions = checking.questions_of(connection, [one.record_id for one in order])
        answers = checking.answers_to(connection, questions.values(), since=frozen.created_at)
        withdrawn = checking.withdraw_questions(connection, frozen.id, [one.record_id for one in order], most)
        told = {"withdrawn": withdrawn, "answered": sum(bool(given) for given in answers.values())}
        release_sets.close_set(store, connection, frozen, release_sets.WITHDRAWN, actor, told)
    return withdrawn


def _freeze(
    store: Store,
    name: str,
    present: Sequence[Mapping[str, Any]],
    wanted: Wanted,
    options: Mapping[str, Any],
    actor: str,
    reviewers: ReviewersConfig,
) -> FrozenSet:
    """Freeze what would be released now; a dry run keeps nothing of it."""
    with store.transaction() as connection:
        target = _target_of(connection, present)
        questions = checking.questions_of(connection, [str(row["id"]) for row in present])
        standing = Standing.read(connection, questions.values(), target, reviewers)
        records = [
            FrozenRecord(
                row["id"],
                str(row["lineage"]["item"]),
                content_of(store.key, row),
                standing.of(questions[row["id"]]) != RIGHT,
            )
            for row in present
            if standing.of(questions[row["id"]]) != WRONG
        ]
        if not records:
            raise UsageError(
                "there is no record to promise anything of",
                next_step="see `solon status` for what is accepted",
            )
        frozen = release_sets.make_set(
            name,
            records,
            actor=actor,
            options=options,
            promise=wanted.promise,
            confidence=wanted.confidence,
            slips=wanted.slips,
            attempt=_attempt(connection, records),
            target=target,
        )
        if plan_of(frozen).looks:
            _check_people(connection, target, reviewers)
        if not wanted.dry_run:
            release_sets.freeze_set(store, connection, frozen)
    return frozen


def _target_of(connection: Connection, present: Sequence[Mapping[str, Any]]) -> str:
    runs = sorted({str(row["lineage"]["run"]) for row in present})
    targets = {wanted_by(connection, find_run(connection, run)).target for run in runs}
    if len(targets) > 1:
        raise UsageError(
            f"the runs of these records speak of different experts: {', '.join(sorted(targets))}",
            next_step="promise of one run at a time: --run RUN",
        )
    return next(iter(targets), "single")


def _check_people(connection: Connection, target: str, reviewers: ReviewersConfig) -> None:
    wanted = read_target(target).audited_by
    people = [
        one
        for one in list_experts(connection)
        if one.revoked_at is None and one.stage == "proven" and one.believed(reviewers).final
    ]
    if len(people) < wanted:
        raise UsageError(
            f"a promise of this takes {wanted} experts whose answers decide, and there are {len(people)}",
            next_step="add them with `solon expert add NAME`; each answers by their own token",
        )


def _attempt(connection: Connection, records: Sequence[FrozenRecord]) -> int:
    """Which attempt it is at any of these records, from 1: also after a promise that was written, or whoever takes the
    weaker one that the answers show could try for the stronger one again at the full error.

    Raises:
        UsageError: one is under way.
    """
    tested, attempt = {one.item_id for one in records if one.tested}, 1
    for earlier in release_sets.frozen_sets(connection):
        if tested.isdisjoint(one.item_id for one in earlier.records if one.tested):
            continue
        if earlier.state == release_sets.WRITTEN or releasing.find_release(connection, earlier.name):
            attempt += 1
        elif earlier.state == release_sets.OPEN:
            raise UsageError(
                f"the release {earlier.name!r} asks about some of these records already",
                next_step="repeat its command once they are answered, or give it up: "
                f"`solon release withdraw {earlier.name}`",
            )
        elif earlier.state == release_sets.REFUSED or (earlier.result or {}).get("answered"):
            attempt += 1
    return attempt


def _check_wanted(frozen: FrozenSet, wanted: Wanted, options: Mapping[str, Any]) -> None:
    """Refuse what was not frozen for: other records, another confidence, or a larger promise."""
    again = f"repeat it with --promise {frozen.promise:g} --confidence {frozen.confidence:g}, or choose another name"
    if frozen.options != dict(options):
        raise UsageError(
            f"the set of {frozen.name!r} was frozen {moment(frozen.created_at)} with other options",
            next_step="repeat that command, or choose another name",
        )
    if frozen.confidence != wanted.confidence or wanted.promise > frozen.promise:
        raise UsageError(
            f"the sample of {frozen.name!r} was planned to promise {frozen.promise:g} with confidence "
            f"{frozen.confidence:g}",
            next_step=again,
        )


def _check_settled(frozen: FrozenSet, known: KnownSet, wanted: Wanted) -> None:
    """Refuse to end a set with less than was planned for while open answers could still show that."""
    planned = known.look(frozen.promise)
    if wanted.settle or wanted.promise >= frozen.promise or planned.state != ASKED:
        return
    raise UsageError(
        f"{percent(wanted.promise)} is shown by now, and writing it ends the set {frozen.name!r}; with the "
        f"{planned.waiting} answers that are open, {percent(frozen.promise)} could still be shown",
        next_step=f"have them answered and repeat the command with --promise {frozen.promise:g}; or add --settle to "
        "write the smaller promise now",
    )


def _ask(
    store: Store,
    frozen: FrozenSet,
    known: KnownSet,
    finding: Finding,
    schema_of: Callable[[RecordQuestion], str],
) -> None:
    """Open the reviews that are missing; those that are there already stay as they are."""
    asked = [known.questions[one.record_id] for one, state in finding.sample if state == OPEN]
    schemas = {run: schema_of(one) for run, one in {one.run_id: one for one in asked}.items()}
    with store.transaction() as connection:
        for question in asked:
            people = known.standing.missing(question)
            checking.ask_about(connection, frozen.id, question, people, schemas[question.run_id])


def _spell_options(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}


# In words ---------------------------------------------------------------------------------------------------------


def percent(share: float) -> str:
    """A share in per cent, with as many digits as it has."""
    return f"{round(100 * share, 6):g}%"


def spell_plan(plan: Plan) -> dict[str, Any]:
    """A plan as plain values, with how probably it ends in a promise."""
    chances = {percent(share): [round(one, 3) for one in plan.chances(share)] for share in SHOWN}
    return {"plan": plan.to_json(), "chances": chances, "told": _tell_plan(plan)}


def _tell_plan(plan: Plan) -> list[str]:
    told = [
        f"{plan.records} records: {plan.decided} as experts decided or confirmed them, {plan.rest} to be tested; for "
        f"{percent(plan.promise)} at most {plan.allowed} of all may be wrong"
    ]
    if not plan.looks:
        return [*told, "nothing needs to be asked: it holds by what experts decided"]
    for number, look in enumerate(plan.looks):
        chances = ", ".join(f"{plan.chances(share)[number]:.2f} at {percent(share)}" for share in SHOWN)
        first = (
            f"{look.asked} answers, {look.slips} of them may disagree"
            if number == 0
            else (f"else {look.asked} in all, {look.slips} of them may disagree")
        )
        told.append(f"{first} (granted by then with probability {chances} agreement)")
    return [*told, f"the fewest that could do, if none disagrees: {plan.smallest}"]


def _tell_asked(frozen: FrozenSet, finding: Finding) -> dict[str, Any]:
    asked, planned = len(finding.sample), spell_plan(finding.plan)
    if frozen.attempt > 1:
        planned["told"].append(
            f"this is attempt {frozen.attempt} at some of these records: it may spend a tenth of the error of the one "
            "before"
        )
    return {
        "attempt": frozen.attempt,
        "frozen_at": moment(frozen.created_at),
        "asked": asked,
        "answered": asked - finding.waiting,
        "waiting": finding.waiting,
        "slips": finding.slips,
        "looks": finding.looks,
        **planned,
    }


def _figures(finding: Finding) -> dict[str, Any]:
    now = finding.now
    return {
        "records": len(now.records),
        "by_experts": sum(one.by == EXPERTS for one in now.records.values()),
        "asked": len(finding.sample),
        "slips": finding.slips,
        "unanswered": finding.waiting,
        "looks": finding.looks,
        "bound": finding.bound,
        "found_wrong": now.found_wrong,
        "put_right": now.put_right,
        "changed": now.changed,
        "gone": now.gone,
        "wrong_at_most": finding.wrong_at_most,
        "agreement_at_least": round(finding.agreement, 6),
    }


def _refusal(finding: Finding, wanted: Wanted) -> PromiseRefused:
    records, slips = len(finding.now.records), finding.slips
    allowed = most_allowed(records, wanted.promise)
    shown = round_down(finding.agreement)
    lower = (
        f"--promise {shown:g} is shown by the same answers: repeat the command with it; or " if shown else ""
    )
    return PromiseRefused(
        f"{slips} of the {len(finding.sample) - finding.waiting} records that were answered count as disagreement: "
        f"up to {finding.wrong_at_most} of {records} may be wrong, where {percent(wanted.promise)} allows {allowed}",
        next_step=f"{lower}put more of the set right (what was found wrong is left out already) and freeze it under "
        "another name: that is a further attempt, and is tested harder",
    )


def round_down(share: float) -> float:
    """A share with three digits that is not larger."""
    return math.floor(1000 * share + 1e-9) / 1000


def _section(frozen: FrozenSet, finding: Finding, wanted: Wanted) -> dict[str, Any]:
    """The promise as the manifest holds it: the sentence, the sample, the arithmetic."""
    figures = _figures(finding)
    return {
        "set": frozen.id,
        "sentence": spell_sentence(figures["records"], wanted.promise, frozen.confidence),
        "promise": wanted.promise,
        "confidence": frozen.confidence,
        "target": frozen.target,
        "frozen_at": moment(frozen.created_at),
        "frozen_sha256": frozen.digest,
        "plan": finding.plan.to_json(),
        "attempt": frozen.attempt,
        "figures": figures,
        "sample": [
            {"record": one.record_id, "content": one.content, "state": state} for one, state in finding.sample
        ],
        "arithmetic": _arithmetic(frozen, finding, wanted),
        "method": METHOD,
        "does_not_say": list(DOES_NOT_SAY),
    }


def spell_sentence(records: int, promise: float, confidence: float) -> str:
    """What a lead can sign."""
    return (
        f"Of these {records:,} records at least {percent(promise)} agree with the experts, with {percent(confidence)} "
        "confidence."
    )


def _arithmetic(frozen: FrozenSet, finding: Finding, wanted: Wanted) -> list[str]:
    plan, now, figures = finding.plan, finding.now, _figures(finding)
    told = [
        f"Frozen {moment(frozen.created_at)}: {plan.records} records, of which experts had decided or confirmed "
        f"{plan.decided}; {plan.rest} were tested. The experts: {read_target(frozen.target)}."
    ]
    if finding.sample:
        look = plan.looks[finding.looks - 1]
        unanswered = f", {finding.waiting} of which nobody answered" if finding.waiting else ""
        told += [
            f"Of {len(finding.sample)} drawn at random {figures['slips'] + figures['unanswered']} count as "
            f"disagreement{unanswered}: at most {finding.bound} of the {plan.rest} were wrong.",
            f"That is the exact hypergeometric bound at an error of {look.error:.4g}; all looks and attempts together "
            f"spend less than {1 - frozen.confidence:.4g}.",
        ]
    changes = {
        "left out, since experts disagree": now.found_wrong,
        "decided or confirmed by experts after they were frozen": now.put_right,
        "changed since, and each counts as wrong": now.changed,
        "taken out of the set since": now.gone,
    }
    told += [
        f"Of the frozen records {n} {'was' if n == 1 else 'were'} {what}." for what, n in changes.items() if n
    ]
    allowed = most_allowed(len(now.records), wanted.promise)
    told.append(
        f"So experts disagree with at most {finding.wrong_at_most} of the {len(now.records)} released records; the "
        f"promise of {percent(wanted.promise)} allows {allowed}."
    )
    return told


# Verifying --------------------------------------------------------------------------------------------------------


def verify_promised(store: Store, folder: Path, reviewers: ReviewersConfig) -> Verification:
    """Return whether a release is what was sealed, whether it can be rebuilt, and, where it promises something or was
    signed for, whether that still stands."""
    found, manifest = verify_release(store, folder), read_manifest(folder)
    checks = list(found.checks)
    if "promise" in manifest:
        checks.append(_check_promise(store, folder, manifest["promise"], reviewers))
        checks += check_signatures(store, folder)
    return Verification(
        release=found.release, passed=all(check.passed for check in checks), checks=tuple(checks)
    )


def recheck_promises(store: Store, folder: Path, reviewers: ReviewersConfig) -> dict[str, tuple[bool, str]]:
    """Return of each written promise, by the name of its release, whether it holds by the answers as they stand now,
    and why; without releases that are not in this folder as they were sealed: of these `verify_promised` tells more."""
    with store.connect() as connection:
        written = {
            one.name: one.result
            for one in release_sets.each_set(connection)
            if one.state == release_sets.WRITTEN and one.result
        }
    found = {}
    for name, section in written.items():
        with suppress(SolonError):
            if is_sealed(store, folder / name):
                found[name] = _recompute(store, folder / name, section, reviewers)
    return found


def _check_promise(
    store: Store, folder: Path, section: Mapping[str, Any], reviewers: ReviewersConfig
) -> Check:
    """Recompute the promise from the manifest, the rows and the store, by the answers as they stand now."""
    try:
        held, told = _recompute(store, folder, section, reviewers)
    except _Unlike as error:
        return Check(name="promise", passed=False, told=error.cause)
    told = f"{section['sentence']} {told}"
    return Check(name="promise", passed=held, told=told if held else f"no longer holds: {told}")


class _Unlike(SolonError):
    """The store and the release do not speak of the same frozen set."""


def _recompute(
    store: Store, folder: Path, section: Mapping[str, Any], reviewers: ReviewersConfig
) -> tuple[bool, str]:
    rows = [row for row in read_rows(folder) if "promise" in row]
    with store.connect() as connection:
        frozen = release_sets.find_set(connection, str(section["set"]))
        if frozen is None:
            raise _Unlike("this store knows no frozen set of this release")
        if digest_of(frozen.records) != section["frozen_sha256"]:
            raise _Unlike("the frozen set was changed after it was sealed")
        known = know_set(connection, store.key, frozen, rows, reviewers)
    sample = known.drawn[: len(section["sample"])]
    if [one.record_id for one, _ in sample] != [one["record"] for one in section["sample"]]:
        raise _Unlike("another sample is drawn from this set")
    wrong = _wrong_now(known, frozen, rows, int(section["figures"]["looks"]))
    moved = sum(one["state"] != state for one, (_, state) in zip(section["sample"], sample, strict=True))
    since = f"{moved} of its answers changed or were taken back since. " if moved else ""
    allowed, sure = most_allowed(len(rows), float(section["promise"])), len(known.now.left_out)
    possible = wrong - known.now.changed
    told = f"At most {wrong} of {len(rows)} are wrong, recomputed"
    if sure > min(allowed, possible):
        limit = (allowed, "the promise allows") if sure > allowed else (possible, "its sample left possible")
        told = f"By now {sure} of {len(rows)} are known to be wrong, more than the {limit[0]} that {limit[1]}"
    elif sure:
        told += f"; {sure} of them are known to be, by what experts answered"
    return sure <= possible and wrong <= allowed, since + told


def _wrong_now(known: KnownSet, frozen: FrozenSet, rows: Sequence[Mapping[str, Any]], looks: int) -> int:
    """How many released records are wrong at most, by the looks that were taken and what is known now. Those that were
    found wrong after the release are in it, unless they are more than it, which refutes it."""
    bounds = [known.bound_at(look) for look in known.plan.looks[:looks]]
    tested = {one.item_id for one in frozen.records if one.tested}
    found = [row["lineage"]["item"] in tested for row in rows if row["id"] in known.now.left_out]
    out = known.now.found_wrong - sum(found)
    bound = min([known.plan.rest, *bounds])
    return max(0, bound - out) + known.now.changed + len(found) - sum(found)
