"""`solon review`: the queue of what the agents could not decide, and the answers to it."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solon.cli.options import ConfigOption, JsonOption, RunOption, StoreOption, open_project
from solon.cli.terminal import console, print_json, say, styled
from solon.display.text import shorten
from solon.errors import InvalidDecision, UsageError
from solon.reading import read_text
from solon.spans import spell_spans, text_of

if TYPE_CHECKING:
    from rich.console import Console

    from solon.project import Project
    from solon.store.reviewing.answering import AnswerResult
    from solon.workspace.views import Review

group = typer.Typer(no_args_is_help=True, help="What waits for a person.", rich_markup_mode=None)
UnblindOption = Annotated[
    bool,
    typer.Option(
        "--unblind",
        help="Tell why each waits, by the panel, and of which kind it is: for leads, and whoever will not answer.",
    ),
]
ReviewArgument = Annotated[str, typer.Argument(metavar="REVIEW", help="A review's id or its beginning.")]


def register(app: typer.Typer) -> None:
    """Add `solon review` to the command line."""
    app.add_typer(group, name="review")


@group.command("list")
def list_reviews(
    store: StoreOption = None,
    config: ConfigOption = None,
    run: RunOption = None,
    state: Annotated[
        str,
        typer.Option(
            help="waiting, decided, opening, held, withdrawn, or disputed: people differ, and a lead has still to "
            "settle it."
        ),
    ] = "waiting",
    reason: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="Only those with this reason, such as injection (words that give orders), margin or split; as with "
            "--unblind, you then see why each waits.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = 100,
    unblind: UnblindOption = False,
    json: JsonOption = False,
) -> None:
    """List the reviews that wait, in the order of the queue: what is worth most per minute first.

    As on the page, what the panel found of them is not told.

    Example: solon review list --limit 20
    """
    from solon.store.reviewing.review_rows import DISPUTED

    with open_project(store, config) as project:
        run_id = project.summarize(run).run_id if run else None
        unblind = unblind or reason is not None
        found = project.reviews(state, run_id=run_id, reason=reason, limit=limit, blind=not unblind)
        for_others = 0
        if state == "waiting" and not json:
            _tell_disputed(project, run_id)
            for_others = 0 if found or reason else _count_for_others(project)
        _note_listed(project, [review.item_id for review in found], unblind)
    if json:
        print_json({"reviews": [as_dict(review) for review in found]})
        return
    if not found:
        say(
            f"no review waits for you; {for_others} wait for somebody else, who has not answered the question yet"
            if for_others
            else f"no review is {state}" + (f" with the reason {reason!r}" if reason else "")
        )
        return
    from rich.table import Table

    with_why = any(review.reasons for review in found)
    with_kind = any(review.kind for review in found)  # leads are told
    optional = [*(["kind"] if with_kind else []), "prompt", *(["why"] if with_why else [])]
    table = Table("review", "recipe", *optional, box=None)
    for review in found:
        kind = [review.kind or ""] if with_kind else []
        why = [shorten("; ".join(review.reasons), 70)] if with_why else []
        table.add_row(review.id, review.recipe, *kind, shorten(review.said, 50), *why)
    console().print(table)
    if state == DISPUTED:
        say("a lead who gave none of the answers settles them: solon review serve, page Disagreements")
    else:
        say(f"look at one: solon review show {found[0].id}")


def _count_for_others(project: Project) -> int:
    """How many free reviews of all runs are not for whoever answers by their token; 0 without one."""
    from solon.store.reviewing.queue import count_not_offered

    expert = project.acting_expert()
    if expert is None:
        return 0
    with project.store.connect() as connection:
        return sum(count_not_offered(connection, expert, "").values())


def _tell_disputed(project: Project, run_id: str | None) -> None:
    """Say to leads, and to whoever has the store, how many questions wait for a lead because people differ."""
    from solon.store.reviewing.disagreements import count_disputes

    expert = project.acting_expert()
    with project.store.connect() as connection:
        disputed = count_disputes(connection, run_id)
    if disputed and (expert is None or expert.may("lead")):
        say(
            f"questions on which people differ, for a lead to settle: {disputed} (--state disputed lists them)"
        )


def _note_listed(project: Project, items: list[str], unblind: bool) -> None:
    """Note in the log what a list showed; of what it told why, a later answer of the reader's is no blind evidence."""
    from solon.store.database.audit_log import note_reading, unread

    actor = project.actor()
    if items:
        note_reading(project.store, actor, "queue.read", "", {"items": items, "channel": "cli"})
    if items and unblind:
        with project.store.connect() as connection:
            new = unread(connection, actor, "item.read", items)
        for item in new:
            note_reading(project.store, actor, "item.read", item, {"channel": "cli"})


def as_dict(review: Review) -> dict[str, Any]:
    """A review as JSON. Candidates are named by their ids, never by letters or sides."""
    values = asdict(review)
    return {**values, "review_id": review.id}


@group.command("show")
def show(
    review: ReviewArgument,
    store: StoreOption = None,
    config: ConfigOption = None,
    unblind: UnblindOption = False,
    json: JsonOption = False,
) -> None:
    """Show a review as the page does: the request, the candidates, and how to answer.

    Example: solon review show 7ad6
    """
    from solon.store.database.audit_log import note_reading

    with open_project(store, config) as project:
        found = project.open_review(review, blind=not unblind)
        told = {"review": found.id, "channel": "cli"}
        # Blind, it is read as on the page; with the panel's reasons, whoever answers afterwards is no blind witness.
        what = ("item.read", found.item_id) if unblind else ("review.read", found.id)
        note_reading(project.store, project.actor(), *what, told)
    if json:
        print_json(as_dict(found))
    else:
        print_review(found)


def print_review(found: Review, *, store: str = "") -> None:
    """A review as text, with the command that answers it."""
    out = console()
    out.print(styled(f"review {found.id} ({found.recipe}, {found.state})", "bold"))
    for reason in found.reasons:
        out.print(styled(f"  why: {reason}"))
    _print_request(out, found)
    for number, candidate in enumerate(found.candidates, start=1):
        out.print(styled(f"\ncandidate {number}: {candidate.id}", "bold"))
        if candidate.prompt != found.prompt:
            out.print(styled(f"request: {candidate.prompt}", "italic"))
        text = text_of({"input": found.input, "prompt": found.prompt})
        out.print(styled(spell_spans(candidate.text, text) if found.asks_spans else candidate.text))
    _print_found(out, found)
    if found.state == "waiting":
        _print_how_to_answer(out, found, store)


def _print_request(out: Console, found: Review) -> None:
    """The conversation, with what is asked about it, and what the request asks of an answer."""
    by_tool = found.said not in ("", found.prompt)  # a tool's result ends the conversation
    for turn in found.turns:
        is_request = by_tool and turn == {"role": "user", "content": found.said}
        out.print(styled("\nrequest" if is_request else f"\n{turn['role']}", "bold"))
        out.print(styled(turn["content"]))
    out.print(styled("\ntool" if by_tool else "\nrequest", "bold"))
    out.print(styled(found.prompt))
    if found.input:
        out.print(styled("\ninput", "bold"))
        out.print(styled(found.input))
    if found.asks:
        out.print(styled("\nmay this go on?", "bold"))
        out.print(styled(found.asks))
    if found.rubric:
        out.print(styled("\nwhat this request asks of an answer", "bold"))
        for line in found.rubric:
            out.print(styled(line))


def _print_found(out: Console, found: Review) -> None:
    """What was found in the texts, and the words that a decision pointed to."""
    for finding in found.findings:
        quoted = f"{finding['quote']!r}: " if finding["quote"] else ""
        out.print(styled(f"\nfound ({finding['severity']}): {quoted}{finding['suggestion']}"))
    if found.fix:
        out.print(styled("\na model would have it so; take it by an edit with this text", "bold"))
        out.print(styled(found.fix))
    for order in found.orders:
        where = f"{order['where']} [{order['start']}, {order['end']})"
        out.print(styled(f"\ngives orders to models, {where}, {order['tries']}: {order['quote']}"))
    for told in found.evidence:
        what = (told["flag"] or "reason").replace("_", " ")
        where = f"{told['candidate']} [{told['start']}, {told['end']})"
        out.print(styled(f"\nmarked as {what} in {where}: {told['quote'] or '(erased)'}"))


def _print_how_to_answer(out: Console, found: Review, store: str) -> None:
    """The answers that there are, and the command that gives one."""
    kind = "labels" if found.asks_label else "choices"
    known = ", ".join(map(shlex.quote, found.choices))  # as they are typed on the command line
    if found.suggestion:
        out.print(
            styled(f"\nthe panel suggests: {found.suggestion} (it may be wrong; what you answer decides)")
        )
    out.print(styled(f"\n{kind}: {known}; without an answer: skip, decline, escalate"))
    if found.rationale_for:
        needed = (
            "whatever you answer"
            if found.rationale_for == found.choices
            else f"for {', '.join(found.rationale_for)}"
        )
        out.print(styled(f'a reason is needed, {needed}: --rationale "..."'))
    answer = _suggest(found)
    needs_why = found.rationale_for and answer.split()[0] in (*found.rationale_for, "LABEL")
    why = ' --rationale "..."' if needs_why else ""
    out.print(styled(f"answer: solon review decide {found.id} {answer}{why}{store}"))
    if found.asks_rubric:
        corrected = f"go_on --field criteria=@FILE{why}"
        out.print(styled(f"with other criteria, a line each in FILE (3: Names the dose.): {corrected}"))
    if found.asks_spans:
        out.print(styled(f"or: solon review decide {found.id} {found.choices[1]} --spans @FILE{store}"))


def _suggest(found: Review) -> str:
    """An answer to fill in. No label and no order is suggested: the first one would be as good as chosen."""
    if found.asks_label:
        return "LABEL"
    if found.asks_spans:
        return found.choices[0]
    if found.ranked_by:
        return " ".join(
            ["rank", *(f"--ranking {q}:PLACES" if q else "--ranking PLACES" for q in found.ranked_by)]
        )
    first = f" --candidate {found.candidates[0].id}" if found.candidates else ""
    return f"{found.choices[0]}{first}"


ChoiceArgument = Annotated[
    str,
    typer.Argument(
        help="prefer, tie, both_bad, edit, redraft | accept, reject, edit, redraft | a label | stands, changed | "
        "rank, write, all_bad | "
        "of a request of which nothing is drafted yet: go_on, reject"
    ),
]
CandidateOption = Annotated[
    str | None,
    typer.Option(
        help="Id of the candidate preferred or edited; 1 or 2 as `review show` prints them, which for the holder "
        "of a token are the places on the page."
    ),
]
TextOption = Annotated[
    str | None,
    typer.Option(help="The edited answer, or one of your own; @FILE reads a file, - standard input."),
]
GuidanceOption = Annotated[
    str | None,
    typer.Option(
        help="What a redraft (or, of go_on, the drafts) shall do; @FILE reads a file, - standard input."
    ),
]
ReasonOption = Annotated[
    str | None,
    typer.Option(help="Of a decline: not_my_field, needs_context, personal_data or broken."),
]
RationaleOption = Annotated[
    str | None,
    typer.Option(help="Why; later judges learn from it. @FILE reads a file, - standard input."),
]
PrincipleOption = Annotated[
    list[str] | None, typer.Option(help="Id of a principle that decided; may be given again.")
]
RankingOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[QUESTION:]PLACES",
        help="With `rank`: the candidates by number or id, the best first, those that are as good as each "
        "other with = between them, e.g. 2,1=4,3; where several questions are asked, one for each, e.g. "
        "safe:2,1,3.",
    ),
]
SpansOption = Annotated[
    str | None,
    typer.Option(
        metavar="JSON",
        help="With `changed`: all spans of the text as they should be, a list of start, end and label, or a row of "
        "the format spans; @FILE reads a file, - standard input.",
    ),
]
FlagOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CANDIDATE=FLAG",
        help="unsafe, factually_wrong, outdated or personal_data; may be given again.",
    ),
]
EvidenceOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CANDIDATE[:FLAG]=WORDS",
        help="Words of a candidate that one of its flags is about, or without a flag that decided; they stand in "
        "it just so, and once. CANDIDATE[:FLAG]@START-END gives their place in characters. May be given again.",
    ),
]
ScoreOption = Annotated[
    list[str] | None,
    typer.Option(metavar="CRITERION=1..5", help="A score on the rubric; may be given again."),
]
StrengthOption = Annotated[int | None, typer.Option(min=1, max=3, help="1 barely, 2, 3 clearly.")]
FieldOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="A field of the review's form; the same name again adds to a list, e.g. criteria=3:... of a drafted "
        "rubric. @FILE reads a file, - standard input.",
    ),
]


@group.command("decide")
def decide(
    review: ReviewArgument,
    choice: ChoiceArgument,
    store: StoreOption = None,
    config: ConfigOption = None,
    candidate: CandidateOption = None,
    text: TextOption = None,
    guidance: GuidanceOption = None,
    reason: ReasonOption = None,
    rationale: RationaleOption = None,
    principle: PrincipleOption = None,
    ranking: RankingOption = None,
    spans: SpansOption = None,
    flag: FlagOption = None,
    evidence: EvidenceOption = None,
    score: ScoreOption = None,
    strength: StrengthOption = None,
    field: FieldOption = None,
    json: JsonOption = False,
) -> None:
    """Answer a review, as the expert whose token SOLON_TOKEN holds. `solon resume` then moves its item on.

    Without a token the answer counts as the local user's; a run that measures (a pilot, audits, ...) refuses it. An
    answer is taken back on the page (`solon review serve`: key u, or My answers) or through the API, by no command.

    Example: solon review decide 7ad6 prefer --candidate 1 --rationale "B invents a source"
    """
    with open_project(store, config) as project:
        found = project.review(review)
        marks = _read_marks(found, flag or (), evidence or (), ranking or (), score or ())
        words = _read_words(choice, text, spans, guidance, rationale)
        rest = {"reason": reason, "strength": strength, "principles": tuple(principle or ()) or None}
        answer: dict[str, Any] = {**marks, **words, **rest, **_read_fields(field or ())}
        chosen = _candidate_id(found, candidate) if candidate else None
        taken = project.answer(found, choice, chosen, channel="cli", **answer)
        after = project.told_after(found) if taken.kind == "decided" else ""
    _tell(found, choice, chosen, taken, json, after)


def _tell(
    review: Review, choice: str, candidate: str | None, taken: AnswerResult, json: bool, after: str
) -> None:
    beside = taken.assignment_id if taken.decision_id is None else None
    if json:
        id_of = {"decision_id": taken.decision_id, "assignment_id": beside}
        print_json({"review_id": review.id, "choice": choice, "candidate": candidate, **id_of})
    elif taken.kind == "vote":
        typer.echo(f"review {review.id}: {choice}, a vote ({beside}); with others' votes it may decide")
    elif beside:
        typer.echo(f"review {review.id}: {choice}; it goes on waiting for someone else")
    else:
        typer.echo(
            f"review {review.id}: {choice}{f' {candidate}' if candidate else ''} (decision {taken.decision_id})"
        )
        if after:
            typer.echo(f"the panel had found: {after}")
        if taken.saw_votes:
            say("it decides, but teaches nothing: you had seen the panel's verdicts on this item")
        say("move its item on: solon resume")


def _read_marks(
    review: Review,
    flags: Sequence[str],
    evidence: Sequence[str],
    ranking: Sequence[str],
    scores: Sequence[str],
) -> dict[str, Any]:
    """What is said of single candidates and criteria; None where nothing was given."""
    flagged: dict[str, list[str]] = {}
    for name, value in map(_pair, flags):
        flagged.setdefault(_candidate_id(review, name), []).append(value)
    return {
        "flags": {name: tuple(values) for name, values in flagged.items()} or None,
        "ranking": _read_ranking(review, ranking),
        "evidence": [_read_evidence(review, one) for one in evidence] or None,
        "scores": {name: _score(value) for name, value in map(_pair, scores)} or None,
    }


def _read_words(
    choice: str, text: str | None, spans: str | None, guidance: str | None, rationale: str | None
) -> dict[str, Any]:
    """What may stand in a file; None where nothing was given."""
    if spans is not None and choice == "stands":
        raise UsageError("`stands` takes the spans as they are", next_step="with --spans choose `changed`")
    return {
        "text": _read_text(text),
        "spans": _read_spans(_read_text(spans)),
        "guidance": _read_text(guidance),
        "rationale": _read_text(rationale),
    }


def _read_ranking(review: Review, told: Sequence[str]) -> dict[str, Any] | list[list[str]] | None:
    """The rankings by question, or the one of no name; None where nothing was given."""
    found: dict[str, list[list[str]]] = {}
    for one in told:
        question, _, places = one.rpartition(":")
        if question in found:
            raise UsageError(
                f"--ranking {one!r:.60} ranks for the second time", next_step="give one a question"
            )
        tiers = [[name.strip() for name in tier.split("=")] for tier in places.split(",")]
        found[question] = [[_candidate_id(review, name) for name in tier] for tier in tiers]
    return (found[""] if [*found] == [""] else found) if found else None


def _candidate_id(review: Review, name: str) -> str:
    """The id behind `1`, `2`, an id or its beginning."""
    ids = [candidate.id for candidate in review.candidates]
    if name.isdecimal() and 1 <= int(name) <= len(ids):
        return ids[int(name) - 1]
    fitting = [own for own in ids if own.startswith(name)] if len(name) >= 4 else []
    if len(fitting) == 1:
        return fitting[0]
    raise InvalidDecision(
        f"candidate {name!r} is not part of review {review.id}", next_step=f"its candidates: {', '.join(ids)}"
    )


_EVIDENCE = re.compile(
    r"(?P<candidate>[^=:@]+)(:(?P<flag>\w+))?(=(?P<words>.+)|@(?P<start>\d+)-(?P<end>\d+))", re.DOTALL
)


def _read_evidence(review: Review, given: str) -> dict[str, Any]:
    """One piece of evidence as an answer carries it, from `CANDIDATE[:FLAG]=WORDS` or `CANDIDATE[:FLAG]@START-END`."""
    parts = _EVIDENCE.fullmatch(given)
    if parts is None:
        raise UsageError(
            f"--evidence: {given!r} is neither CANDIDATE[:FLAG]=WORDS nor CANDIDATE[:FLAG]@START-END",
            next_step='write e.g. --evidence "1:unsafe=take ten" or --evidence 1:unsafe@12-20',
        )
    name = _candidate_id(review, parts["candidate"])
    about = {"candidate": name, "flag": parts["flag"]}
    words = parts["words"]
    if words is None:
        return {**about, "start": int(parts["start"]), "end": int(parts["end"])}
    text = next(one.text for one in review.candidates if one.id == name)
    start = text.find(words)
    if start < 0 or text.find(words, start + 1) >= 0:
        told = "more than once" if start >= 0 else "nowhere"
        raise InvalidDecision(
            f"evidence: {words[:80]!r} stands {told} in answer {parts['candidate']}",
            next_step="quote the text as it is written, and so much that it stands once; or give its place: "
            f"{given.partition('=')[0]}@START-END",
        )
    return {**about, "start": start, "end": start + len(words), "text": words}


def _pair(value: str) -> tuple[str, str]:
    name, sign, rest = value.partition("=")
    if not sign or not name or not rest:
        raise UsageError(f"{value!r} is not NAME=VALUE", next_step="e.g. --flag 1=unsafe, --score accuracy=4")
    return name, rest


def _read_fields(given: Sequence[str]) -> dict[str, Any]:
    """The fields of a form by name; a name that is given several times has the list of its values."""
    found: dict[str, list[str | None]] = {}
    for name, value in map(_pair, given):
        found.setdefault(name, []).append(_read_text(value))
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _score(value: str) -> int:
    if value not in ("1", "2", "3", "4", "5"):
        raise InvalidDecision(f"score {value!r} is outside 1 to 5", next_step="e.g. --score accuracy=4")
    return int(value)


def _read_spans(told: str | None) -> list[Any] | None:
    """Spans from JSON, without what an export tells of them besides where they stand."""
    if told is None:
        return None
    try:
        found = loads(told)
        found = found["spans"] if isinstance(found, dict) else found
        return [{key: one[key] for key in ("start", "end", "label", "text") if key in one} for one in found]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"--spans {told!r:.60} is no list of spans: {error}",
            next_step='e.g. --spans \'[{"start": 0, "end": 5, "label": "person"}]\', or @FILE',
        ) from None


def _read_text(value: str | None) -> str | None:
    """The option's own text, that of a file (`@FILE`) or of standard input (`-`)."""
    if value is None or (value != "-" and not value.startswith("@")):
        return value
    if value != "-":
        return read_text(Path(value[1:]), next_step="check the path after @")
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{value} is not UTF-8: {error.reason}", next_step="save it as UTF-8") from None
