"""The tour of `solon demo`: a clinic's questions from seeds to a report, on scripted answers, in a few seconds.

Only the models are fakes. The rest is what the commands do, and every figure was measured in the run.
"""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
import time
from contextlib import chdir
from dataclasses import asdict
from itertools import count
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.cli.terminal import console, print_json, styled
from solon.display.text import shorten
from solon.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from solon.project import Project
    from solon.workspace.views import Review

FOLDER = "solon-demo"
EXPERT = "Dr Demo"
ADDRESS = "http://127.0.0.1:8321"
PAIRS, REPORT = "pairs.jsonl", "report.html"
_WIDTH = 200
_AGREED = {"rationale": "Says what is urgent and what to do now.", "principles": ["usable-step"]}
_CONFIG = """\
# The tour of `solon demo`: a clinic's questions. Scripted answers, no model: the *.json files hold them.
store = "{store}"

[models.default]                        # writes, criticises, resolves and drafts rules
model = "scripted:writer.json"          # a real one: "openai:gpt-5-mini", "ollama:llama3.2", ...
price = {{ input = 0.0, output = 0.0 }}   # per million tokens

[models.judge-1]
model = "scripted:judge-1.json"
price = {{ input = 0.0, output = 0.0 }}

[models.judge-2]
model = "scripted:judge-2.json"
price = {{ input = 0.0, output = 0.0 }}

[generator]
personas = ["a nurse of the clinic", "a doctor of the clinic"]
revise = false

[[judges]]
model = "judge-1"
persona = "a careful expert in the subject who checks every claim"

[[judges]]
model = "judge-2"
persona = "the person who asked, who wants a direct and usable answer"

[routing]
policy = "pilot"                        # a random sample to the experts first
pilot = 5
audit_share = 0.0                       # left out: a few accepted records are checked blind

[law]
constitution = "medical"
rubric = "medical"
"""


def run_tour(store: str | None, *, json: bool, serve: bool | None, solon: str) -> None:
    """Go through everything in a new folder and print it.

    Args:
        store: the store's address; None: a file in the folder.
        json: print one JSON object for programs at the end.
        serve: serve the page at the end, until Ctrl-C; None: where somebody sits at the terminal.
        solon: how the program is called from here.
    """
    began = time.monotonic()
    attended = sys.stdin.isatty() and sys.stdout.isatty() and not json
    serving = attended if serve is None else serve
    folder, out = _make_folder(Path(FOLDER)), console(error=json)
    url = _absolute(store) if store else "sqlite:///solon.db"
    with chdir(folder), _begin(url) as project:
        out.print(
            "A clinic's questions, with scripted answers, no model: drafts, critiques and verdicts come from files.\n"
            f"All else is Solon at work. None of it is medical advice. Everything is in the folder {folder}."
        )
        told: dict[str, Any] = {"folder": str(folder), "scripted": True}
        for step in (_run, _show_resolved, _show_waiting, _answer, _certify, _legislate, _take_out):
            told |= step(project, out)
        told |= _say_next(out, folder, solon, url if store or "SOLON_STORE" in os.environ else "", told)
        told["seconds_in_all"] = round(time.monotonic() - began, 1)
        out.print(f"That took {told['seconds_in_all']} s.")
        told["link"] = None if serving else _print_link(project, out)
        if json:
            print_json(told)
        if serving:
            _serve(project, browse=attended)


def _make_folder(wanted: Path) -> Path:
    """A folder that was not there before, so that a tour changes nothing that an earlier one has left."""
    for number in count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(
                f"the folder {folder} cannot be made here: {error.strerror}",
                next_step="go to a folder that you may write to",
            ) from None
    raise AssertionError("numbers do not end")


def _absolute(url: str) -> str:
    """The same store from within the folder."""
    scheme, slashes, path = url.partition("sqlite:///")
    return f"{scheme}{slashes}{Path(path).absolute()}" if slashes and not scheme else url


def _begin(url: str) -> Project:
    """Write the files of a project, and open it: just it, whatever SOLON_STORE and its kin say."""
    import tomllib

    from solon.cli.seeds.clinic import read_clinic, scripts_of, seed_of
    from solon.config import parse_config
    from solon.project import Project

    rows, config = read_clinic(), _CONFIG.format(store=url)
    lines = [dumps(seed_of(row), ensure_ascii=False) + "\n" for row in rows]
    files = {"solon.toml": config, "seeds.jsonl": "".join(lines)}
    for name, rules in scripts_of(rows).items():
        files[name] = dumps({"rules": rules}, ensure_ascii=False, indent=1)
    for name, text in files.items():
        Path(name).write_text(text, encoding="utf-8")
    return Project(config=parse_config(tomllib.loads(config), source="the tour"))


# What is shown, step by step; each returns what `--json` tells of it ----------------------------------------------


def _run(project: Project, out: Console) -> dict[str, Any]:
    summary = project.run("preference", "seeds.jsonl")
    _head(
        out,
        1,
        f"{summary.items} questions: each drafted twice, criticised, judged by two judges in both orders",
    )
    out.print(
        f"   {summary.accepted} accepted by the panel; {summary.pending_review} wait for a person, "
        f"{project.config.routing.pilot_size} of them drawn at random; {summary.model_calls} scripted calls"
    )
    record = next(record for record in project.records() if record.route == "consensus")
    _show_pair(out, project.trace(record.id), "accepted: both judges prefer the first, in both orders")
    return {"by_panel": summary.accepted, "record_id": record.id}


def _show_resolved(project: Project, out: Console) -> dict[str, Any]:
    """The pair on which the judges differ and that the resolver settles by a rule."""
    record = next(record for record in project.records() if record.route == "resolved")
    way = project.trace(record.id)
    found = way["resolutions"][0]
    cited = ", ".join(found["cites"])
    _head(out, 2, "A pair on which the two judges differ, settled by a rule that the resolver must cite")
    for judge in {verdict["judge"]: verdict for verdict in way["verdicts"] if verdict["rationale"]}.values():
        _line(out, "judge", judge["rationale"])
    _show_pair(out, way, f"accepted by {cited}: {found['text']}")
    return {"resolved": {"record_id": record.id, "cites": found["cites"]}}


def _show_waiting(project: Project, out: Console) -> dict[str, Any]:
    left = _left_open(project)[0]
    _head(out, 3, "What no rule settles waits for a person, and says why")
    _line(out, "question", left.prompt)
    for reason in left.reasons:
        _line(out, "why", reason)
    return {"review_id": left.id}


def _answer(project: Project, out: Console) -> dict[str, Any]:
    """Answers as the page takes them in: by an expert with a token, each review leased first."""
    from solon.cli.seeds.clinic import read_clinic
    from solon.store.database.local_actor import local_actor
    from solon.store.reviewing.answering import answer_lease
    from solon.store.reviewing.experts import TokenCheck, add_expert
    from solon.store.reviewing.queue import lease_review

    store, by_question = project.store, {row["prompt"]: row for row in read_clinic()}
    _, token = add_expert(store, EXPERT, by=local_actor())
    expert = TokenCheck(store).check(token)
    assert expert is not None
    still_open = {review.prompt for review in _left_open(project)}
    answered: dict[str, Review] = {}
    for review in project.reviews():
        if review.prompt in still_open or review.prompt in answered:  # nobody is asked the same twice
            continue
        row = by_question[review.prompt]
        chosen = next(one for one in review.candidates if one.text == row["good"])
        why = {"rationale": row["why"]} if row["kind"] == "note" else _AGREED
        with store.transaction() as connection:
            lease, _ = lease_review(connection, expert, review.id)
            given = {"choice": "prefer", "candidate": chosen.id, **why}
            about: dict[str, Any] = {"review_id": review.id, "channel": "python", "times": {}}
            answer_lease(store, connection, expert, lease.token, given, **about)
        answered[review.prompt] = review
    summary = project.resume()
    _head(out, 4, f"{len(answered)} answers, given by this demo as {EXPERT}, an expert with a token")
    shown = next(review for review in answered.values() if by_question[review.prompt]["kind"] == "note")
    _line(out, "question", shown.prompt)
    _line(out, "preferred", by_question[shown.prompt]["good"])
    _line(out, "because", by_question[shown.prompt]["why"])
    again = len(project.reviews()) - summary.pending_review
    waits = f"{summary.pending_review} {'waits' if summary.pending_review == 1 else 'wait'} for you"
    if again:
        waits += f", and {again} of the random ones ask for a second opinion"
    out.print(f"   their items went on at once: {summary.accepted} records now; {waits}")
    return {**asdict(summary), "answers": len(answered)}


def _certify(project: Project, out: Console) -> dict[str, Any]:
    """The certificate, or what the newest look says is missing for it."""
    learned = project.learn()
    if learned.moved_items:
        project.resume()
    found = project.learned()
    certificate, looks = found["in_force"], found["looks"]
    missing = looks[-1]["why"] if looks else "the questions that were drawn at random are not all answered"
    _head(out, 5, "The certificate: how often accepted records agree with the experts, and how sure that is")
    _line(out, "in force" if certificate else "none yet", certificate["promise"] if certificate else missing)
    if learned.taken_out:
        _line(out, "taken out", f"{learned.taken_out}; they are judged or asked anew")
    return {"certificate": certificate, "missing_for_certificate": None if certificate else missing}


def _legislate(project: Project, out: Console) -> dict[str, Any]:
    """A rule from the demo expert's reasons, and what it would have changed."""
    from solon.law.documents import diff
    from solon.lawmaking.drafting import legislate, measure_impact
    from solon.store.runs.laws import load_version

    for least in (3, 2, 1):  # answers that make a group; which may be read at all is drawn
        made = asyncio.run(legislate(project.store, project.config, least=least, most=1))
        if made.amendments:
            break
    _head(
        out,
        6,
        "From answers to law: a rule drafted by the scripted legislator from the reasons, and its impact",
    )
    if not made.amendments:
        told = (
            "; ".join(made.problems)
            or "all answers were drawn into the half that tests drafts and writes none"
        )
        _line(out, "none", told)
        return {"amendment": None}
    draft = made.amendments[0]
    with project.store.connect() as connection:
        base = load_version(connection, draft.kind, draft.base_id)
    found = asyncio.run(measure_impact(project.store, project.config, draft.id, by=draft.proposer))
    changes = diff(base.document, draft.document)  # type: ignore[type-var]
    _line(out, "rule", "; ".join(map(str, changes)))
    _line(out, "rests on", f"{len(draft.cites)} of the answers")
    impact = found.impact or {}
    for name, part in impact["parts"].items():
        if part["n"]:
            told = f"agreement with the expert {part['before']:.0%} -> {part['after']:.0%} on {part['n']} answers"
            _line(out, {"held_out": "unseen"}.get(name, name), told)
    _line(out, impact["verdict"], f"{impact['why']}. It comes into force when a lead ratifies it")
    return {"amendment": {"id": draft.id, "rests_on": len(draft.cites), "impact": impact}}


def _take_out(project: Project, out: Console) -> dict[str, Any]:
    pairs = project.export("trl-preference", PAIRS).written
    report = project.report(REPORT, with_texts=True)
    _head(out, 7, "Out of it")
    _line(out, PAIRS, f"{pairs} preference pairs for a trainer, with a manifest of all that is behind them")
    _line(
        out,
        REPORT,
        f"a page with pictures for whoever answers for the data; {len(report.limits)} things not known",
    )
    return {"records": pairs, "pairs": PAIRS, "report": REPORT}


def _say_next(out: Console, folder: Path, solon: str, store: str, told: dict[str, Any]) -> dict[str, Any]:
    inside = f"../{solon}" if "/" in solon and not solon.startswith("/") else solon
    at = f" --store {store}" if store else ""
    commands = {
        f"cd {folder} && {inside} review serve{at}": "the page, where you answer what waits",
        f"{inside} show {told['record_id']}{at}": "all that is behind one record",
        f"{inside} init --help": "a project of your own",
    }
    out.print(styled("\nNext", "bold"))
    for command, about in commands.items():
        out.print(styled(f"  {command}   # {about}"), soft_wrap=True)
    return {"next": list(commands)}


def _print_link(project: Project, out: Console) -> str:
    from solon.review.serve import first_link
    from solon.store.database.local_actor import local_actor

    link = first_link(project, ADDRESS, by=local_actor())
    out.print("While the page is served, this link lets you in, once, within ten minutes:")
    out.print(f"  {link}", soft_wrap=True)
    return link


def _serve(project: Project, *, browse: bool) -> None:
    """The page, until Ctrl-C: the end of a tour, and no failure."""
    import webbrowser

    from solon.review.serve import serve
    from solon.review.state import options_of
    from solon.store.database.local_actor import local_actor

    def say(line: str) -> None:
        console().print(line, soft_wrap=True)
        if browse and "/login?link=" in line:
            webbrowser.open(line.partition("): ")[2])

    say("\nThe page is served until Ctrl-C:")
    try:
        options = options_of(project.config.review)
        serve(project, options, host="127.0.0.1", port=0, say=say, by=local_actor())
    except KeyboardInterrupt:
        say("the page is closed; `solon review serve` in the folder opens it again")


# How it is printed ------------------------------------------------------------------------------------------------


def _left_open(project: Project) -> list[Review]:
    """The review that the demo expert leaves for whoever takes the tour."""
    from solon.cli.seeds.clinic import read_clinic

    left = {row["prompt"] for row in read_clinic() if row["kind"] == "open"}
    return [review for review in project.reviews() if review.prompt in left]


def _head(out: Console, number: int, text: str) -> None:
    out.print(styled(f"\n{number}  {text}", "bold"))


def _line(out: Console, name: str, text: str) -> None:
    whole = f"   {name + ':':<13}{shorten(text, _WIDTH)}"
    for line in textwrap.wrap(whole, out.width - 1, subsequent_indent=" " * 16):
        out.print(styled(line))


def _show_pair(out: Console, way: dict[str, Any], outcome: str) -> None:
    texts = {one["id"]: one["text"] for one in way["candidates"]}
    _line(out, "question", way["seed"]["prompt"])
    _line(out, "chosen", texts[way["record"]["chosen_id"]])
    _line(out, "rejected", texts[way["record"]["rejected_id"]])
    for critique in way["critiques"]:
        if critique["worst"] != "none":
            _line(out, "critique", f"{critique['worst']}, citing {', '.join(critique['principles'])}")
    _line(out, "so", outcome)
