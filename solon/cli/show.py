"""`solon show`: everything behind a record, item, review or decision."""

from __future__ import annotations

import time
from json import loads as read_json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solon.cli.options import ConfigOption, JsonOption, StoreOption, open_project
from solon.cli.terminal import console, print_json, say
from solon.display.text import clean, shorten

if TYPE_CHECKING:
    from rich.tree import Tree

_TEXT = 300


def register(app: typer.Typer) -> None:
    """Add `solon show` to the command line."""
    app.command("show")(show)


def show(
    some_id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Of a record, item, review or decision, or its beginning; or of a seed or its row.",
        ),
    ],
    store: StoreOption = None,
    config: ConfigOption = None,
    prompts: Annotated[
        bool, typer.Option("--prompts", help="Print each call's whole prompt as it was sent, and the answer.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Print the lineage of a record: seed, drafts, critiques, verdicts, people, calls, prompts and law.

    Example: solon show 5f0c
    """
    from solon.store.database.audit_log import note_reading

    with open_project(store, config) as project:
        found = project.trace(some_id, prompts=prompts)
        item, expert = str(found["item"]["id"]), project.acting_expert()
        note_reading(project.store, project.actor(), "item.read", item, {"channel": "cli"})
    if json:
        print_json(found)
    else:
        console().print(draw(found))
    if expert is not None:
        _tell_reader(found, expert.actor)


def _tell_reader(found: dict[str, Any], actor: str) -> None:
    """Say to an expert who has still to answer what their answer is worth after they have seen the panel's."""
    waiting = [review["id"] for review in found["reviews"] if review["state"] not in ("decided", "withdrawn")]
    if waiting and found["verdicts"] and actor not in {decision["actor"] for decision in found["decisions"]}:
        say(
            f"you have now seen the panel's verdicts: your answer to review {waiting[0]} will decide, but teach "
            "nothing; `solon review show` tells none of them"
        )


def draw(found: dict[str, Any]) -> Tree:
    """The lineage of a record or item as a tree. Names of candidates are the beginnings of their ids."""
    from rich.tree import Tree

    record, item, run = found["record"], found["item"], found["run"]
    kind = f"{record['kind']} {record['label'] or ''}".strip() if record else ""
    title = f"record {record['id']}: {kind}" if record else f"item {item['id']}: no record"
    if record and record["superseded_at"]:
        title += f"; it stands no more since {_moment(record['superseded_at'])}, and no export has it"
    tree = Tree(clean(title))
    state = f"item {item['id']}: {item['state']}, route {item['route'] or '-'}, attempt {item['attempt']}"
    tree.add(clean(f"{state}{', ' + item['reason'] if item['reason'] else ''}"))
    tree.add(clean(f"run {run['id']}: {run['recipe']}, by {run['actor']}, {_moment(run['created_at'])}"))
    if record and record["shares"]:
        shares = ", ".join(f"{outcome} {share:.2f}" for outcome, share in record["shares"].items())
        tree.add(clean(f"shares: {shares}"))
    if record and record["weight"] is not None:
        by = f" by {record['question']}" if record["question"] else ""
        tree.add(clean(f"a pair of a ranking{by}: weight {record['weight']:.3f}"))
    if record and record["principles"]:
        tree.add(clean(f"made by the principles: {', '.join(record['principles'])}"))
    seed = tree.add(clean(f"seed {found['seed'].get('external_id', '')}"))
    seed.add(shorten(found["seed"]["prompt"], _TEXT))
    law = tree.add("law")
    for name in ("constitution", "rubric", "consensus"):
        law.add(clean(f"{name} {found['law'][name]}"))
    law.add(clean(f"graph {item['graph_version']}"))
    if own := found["seed_rubric"]:
        from solon.law.seed_rubrics import criteria_lines

        criteria = law.add(clean(f"rubric of the seed {own['version']}, in its place{_whose(own)}"))
        for one in criteria_lines(own["criteria"]):
            criteria.add(shorten(one, _TEXT))
    for one in found["confirmed_rubrics"]:
        if one["undone_at"] or len(found["confirmed_rubrics"]) > 1:
            law.add(clean(_spell_confirmed(one)))
    _draw_candidates(tree, found, record)
    _draw_votes(tree, found)
    _draw_people(tree, found)
    _draw_calls(tree, found)
    return tree


def _whose(rubric: dict[str, Any]) -> str:
    """Who drafted and who confirmed a seed's rubric, in words; empty where the seed brought it."""
    if not rubric["confirmed_by"]:
        return ""
    drafted = f"drafted by {rubric['drafted_by']}, " if rubric["drafted_by"] else ""
    done = "corrected" if rubric["corrected"] else "confirmed"
    return f"; {drafted}{done} by {rubric['confirmed_by']}"


def _spell_confirmed(rubric: dict[str, Any]) -> str:
    """One of several rubrics of an item, in words: who confirmed it, whether it stands, and what was judged by it."""
    back = f", taken back {_moment(rubric['undone_at'])}" if rubric["undone_at"] else ""
    judged = ", ".join(f"attempt {number}" for number in rubric["attempts"]) or "nothing"
    return (
        f"rubric of the seed {rubric['version'] or '(erased)'}, confirmed by {rubric['confirmed_by']}{back}: "
        f"{judged} was judged by it"
    )


def _of_attempt(found: dict[str, Any], row: dict[str, Any]) -> str:
    """Of which attempt something is, where the item had several."""
    return f", attempt {row['attempt']}" if found["item"]["attempt"] else ""


def _draw_candidates(tree: Tree, found: dict[str, Any], record: dict[str, Any] | None) -> None:
    marks = {record["chosen_id"]: " (chosen)", record["rejected_id"]: " (rejected)"} if record else {}
    branch = tree.add(f"{len(found['candidates'])} candidates")
    for candidate in found["candidates"]:
        head = (
            f"{candidate['id']}{marks.get(candidate['id'], '')}: {candidate['kind']} by {candidate['author']}"
            + (
                f", asked to {asked['asked_to']} {asked['principle']}"
                if (asked := candidate["contrast"])
                else ""
            )
            + _of_attempt(found, candidate)
        )
        node = branch.add(clean(head))
        node.add(shorten(candidate["text"] or "(erased)", _TEXT))
        for critique in found["critiques"]:
            if critique["candidate_id"] == candidate["id"]:
                said = (
                    critique["abstained"] or f"{critique['worst']} {', '.join(critique['principles'] or ())}"
                )
                told = node.add(clean(f"critique: {said}"))
                for finding in read_json(critique["text"] or "[]"):
                    quote = f" {finding['quote']!r}" if finding.get("quote") else ""
                    words = f"{finding['severity']} {finding['principle']}{quote}: {finding['suggestion']}"
                    told.add(shorten(words, _TEXT))
        for scored in found["shortlist"]:
            if scored["a_id"] == candidate["id"]:
                scores = ", ".join(f"{name} {score:g}" for name, score in (scored["scores"] or {}).items())
                said = scores or scored["abstained"] or scored["outcome"]
                node.add(clean(f"shortlist: {said} by {scored['seat']} [{scored['judge']}]"))


def _draw_votes(tree: Tree, found: dict[str, Any]) -> None:
    """What judges voted before a debate, the verdicts that count, votes that were not asked, and the resolver."""
    if first := found["first_votes"]:
        branch = tree.add(f"{len(first)} first votes, before a debate; they count no more")
        for one in first:
            said = one["abstained"] or one["outcome"]
            node = branch.add(
                clean(f"{one['seat']} {one['order']} [{one['judge']}]: {said}{_of_attempt(found, one)}")
            )
            if one.get("rationale"):
                node.add(shorten(one["rationale"], _TEXT))
    branch = tree.add(f"{len(found['verdicts'])} verdicts")
    for verdict in found["verdicts"]:
        said = f"abstained ({verdict['abstained']})" if verdict["abstained"] else verdict["outcome"]
        p = f", p {verdict['p']:.2f}" if verdict["p"] is not None else ""
        p += " (a bound)" if verdict["basis"] == "bound" else ""
        p += _of_attempt(found, verdict)
        node = branch.add(
            clean(f"{verdict['seat']} [{verdict['judge']}] order {verdict['order'] or '-'}: {said}{p}")
        )
        if verdict.get("rationale"):
            node.add(shorten(verdict["rationale"], _TEXT))
        for told in verdict["evidence"]:
            node.add(
                shorten(f"points to [{told['start']}, {told['end']}): {told['quote'] or '(erased)'}", _TEXT)
            )
    if missing := found["not_asked"]:
        branch = tree.add(
            f"{len(missing)} votes not asked: none could change what the panel ended the item with"
        )
        for one in missing:
            branch.add(clean(f"{one['seat']} [{one['judge']}] order {one['order'] or '-'}"))
    for resolution in found["resolutions"]:
        said = (
            resolution["handed_over"]
            or f"favours {resolution['outcome'] or resolution['favours_id']} by {', '.join(resolution['cites'] or ())}"
        )
        tree.add(clean(f"resolver: {said}"))


def _draw_people(tree: Tree, found: dict[str, Any]) -> None:
    """What people were asked and why, what they decided, and what they set aside."""
    for review in found["reviews"]:
        node = tree.add(clean(f"review {review['id']}: {review['state']}, opened by {review['rule']}"))
        for reason in review["reasons"] or ():
            told = node.add(clean(reason["text"]))
            for line in reason.get("criteria") or ():
                told.add(shorten(f"drafted: {line}", _TEXT))
    for decision in found["decisions"]:
        _draw_decision(tree, decision)
    for aside in found["set_aside"]:
        why = f" ({aside['reason'].replace('_', ' ')})" if aside["reason"] else ""
        node = tree.add(clean(f"{aside['state']}{why} by {aside['actor']}, {_moment(aside['closed_at'])}"))
        if aside["rationale"]:
            node.add(shorten(aside["rationale"], _TEXT))


def _draw_decision(tree: Tree, decision: dict[str, Any]) -> None:
    on = f" {decision['candidate_id']}" if decision["candidate_id"] else ""
    back = f"; taken back {_moment(decision['undone_at'])}" if decision["undone_at"] else ""
    node = tree.add(
        clean(
            f"decision {decision['id']}: {decision['choice']}{on} by {decision['actor']} "
            f"({_channel(decision)}), {_moment(decision['decided_at'])}{back}"
        )
    )
    for question, tiers in decision["rankings"].items():
        order = " > ".join(" = ".join(tier) for tier in tiers)
        node.add(clean(f"{question}: {order}" if question else order))
    if decision.get("rationale"):
        node.add(shorten(decision["rationale"], _TEXT))
    for told in decision["evidence"]:
        what = f"{told['flag'] or 'reason'} in {told['candidate']} [{told['start']}, {told['end']})"
        node.add(shorten(f"{what}: {told['quote'] or '(erased)'}", _TEXT))
    if decision.get("suggestion"):
        shown = decision["suggestion"]
        node.add(
            clean(f"the panel's suggestion {shown['outcome']!r} was {'' if shown['seen'] else 'not '}seen")
        )
    if decision.get("checked"):
        _draw_check(node, decision)


_NOW = {"candidate": "candidate_id", "text": "edit"}
"""Part of an answer -> its name in a decision, where it has another there."""


def _draw_check(node: Tree, decision: dict[str, Any]) -> None:
    """What a model said of the answer before it was sent, and how each part that was changed was before and is now."""
    checked = decision["checked"]
    times = f" {checked['reads']} times" if checked["reads"] > 1 else ""
    first = f"answered {checked['choice']} at first ({_moment(checked['at'])})"
    told = node.add(clean(f"{first}; a model read it{times} before it was sent"))
    for remark in checked["remarks"]:
        cites = f" [{', '.join(remark['cites'])}]" if remark["cites"] else ""
        told.add(shorten(f"it said, {remark['kind'].replace('_', ' ')}: {remark['text']}{cites}", _TEXT))
    if not checked["remarks"]:
        told.add("it said nothing, or what it said was erased")
    for part in checked["changed"]:
        before, now = checked["before"].get(part), decision.get(_NOW.get(part, part))
        told.add(shorten(f"changed since, {part}: {_spell_part(before)} -> {_spell_part(now)}", _TEXT))
    if not checked["changed"]:
        told.add("nothing was changed after that")


def _spell_part(value: Any) -> str:
    return str(value) if value not in (None, "", [], {}) else "none"


def _draw_calls(tree: Tree, found: dict[str, Any]) -> None:
    branch = tree.add(f"{len(found['calls'])} model calls")
    shas = found["law"]["prompts"]
    for call in found["calls"]:
        name = call["template"].rsplit("@", 1)[0]
        guess = " (estimated)" if call["estimated"] else ""
        tokens = f"{call['input_tokens']}+{call['output_tokens']} tokens{guess}"
        cost = "cost unknown" if call["cost"] is None else f"{call['cost']:.6f}"
        node = branch.add(
            clean(
                f"{call['id']} {call['role']} {call['seat']}: {call['model']}, prompt {name} {shas.get(name, '')}, "
                f"{call['outcome']}, {tokens}, {cost}, {call['seconds']:.1f} s"
            )
        )
        if call.get("error"):
            node.add(shorten(call["error"], _TEXT))
        if call.get("reasoning"):
            node.add(f"reasoning: {shorten(call['reasoning'], _TEXT)}")
        for part in ("prompt", "answer"):
            if part in call:
                node.add(clean(f"{part}: {call[part] if call[part] is not None else 'erased'}"))


def _channel(decision: dict[str, Any]) -> str:
    source = decision.get("carried_from")
    return f"carried from {source}: nobody was asked again" if source else str(decision["channel"])


def _moment(seconds: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds)) if seconds else "-"
