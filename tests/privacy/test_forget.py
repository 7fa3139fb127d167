"""A forgotten text is in no byte of the store, its logs, its checkpoints, or of what is exported afterwards."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from solon.agents.models.scripted import ScriptedChat
from solon.errors import StoreError, UsageError
from solon.operations import forget as forgetting
from solon.operations.forget import Erasure
from solon.project import Project
from solon.store import tables
from solon.store.database import audit_log
from solon.store.database.store import CLEAN, Store
from solon.store.privacy.forgetting import Wanted
from solon.store.upkeep import pruning

ZEBRA = "Zebrafinch-Quillon"
WORDS = {
    "prompt": f"What should {ZEBRA} do about the cough that came after the long voyage to Tromsø?",
    "input": "Seen in the Kaleidoscope ward on a Tuesday.",
    "given": "Rest under the marmalade sky and call again.",
    "rationale": "The vermilion argument settles it.",
    "edit": "Take the obsidian syrup thrice a day.",
    "draft": "an unfinished tangerine thought",
    "metadata": "periwinkle dossier",
}
SECRETS = (ZEBRA, *(words[3:28] for words in WORDS.values()))
OTHERS = [
    {
        "id": f"o{i}",
        "group": f"g{i}",
        "prompt": f"What should somebody do about a cough that came after {i} days?",
    }
    for i in range(3)
]
PATIENT = {
    "id": f"file-{ZEBRA}",
    "group": f"household of {ZEBRA}",
    "subject": f"person {ZEBRA}",
    "source": f"letter by {ZEBRA}",
    "consent": f"signed {ZEBRA}",
    "tags": [ZEBRA],
    "prompt": WORDS["prompt"],
    "input": WORDS["input"],
    "responses": [{"text": WORDS["given"], "source": f"written by {ZEBRA}"}],
    "metadata_note": WORDS["metadata"],
}


def forget(project: Project, **wanted: Any) -> Erasure:
    return asyncio.run(forgetting.forget(project.store, Wanted(**wanted), actor="test", by="Dr. Weiss"))


def rows(store: Store, name: str) -> list[dict[str, Any]]:
    table = tables.metadata.tables[name]
    with store.connect() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


def make_history(project: Project) -> str:
    """Two runs with everything that can be made of a seed: waiting, decided with an edit, drafts, a revision."""
    run = project.run("preference", [PATIENT, *OTHERS])
    by_seed = {project.trace(r.item_id)["seed"]["external_id"]: r for r in project.reviews()}
    review = by_seed[PATIENT["id"]]
    project.decide(
        review, "edit", review.candidates[0], text=WORDS["edit"], rationale=WORDS["rationale"], scores={}
    )
    project.resume()
    other = project.run("preference", [{**PATIENT, "id": "again"}, OTHERS[0]])
    assert other.pending_review
    _write_draft(project, "again")
    return run.run_id


def _write_draft(project: Project, seed: str) -> None:
    """What an expert has typed without sending it."""
    from solon.store.database.writer import insert_rows
    from solon.store.reviewing.drafts import write_draft
    from solon.store.tables.people import Assignment

    review = next(r for r in project.reviews() if project.trace(r.item_id)["seed"]["external_id"] == seed)
    lease = {"id": "lease1", "review_id": review.id, "actor": "expert:1", "state": "leased", "token": "t"}
    with project.store.transaction() as connection:
        insert_rows(connection, [(Assignment, {**lease, "opened_at": 1.0, "expires_at": 9e9})])
        write_draft(connection, "lease1", review.id, {"rationale": WORDS["draft"]})


@pytest.mark.sqlite("the bytes of its files")
def test_no_byte_is_left(open_project: Any, find_bytes: Callable[..., list[str]], folder: Path) -> None:
    project = open_project()
    make_history(project)
    project.export("jsonl", folder / "before.jsonl")
    assert {"solon.db-wal", "before.jsonl"} <= set(find_bytes(*SECRETS))
    first = forget(project, seed=PATIENT["id"])
    assert first.counts["decisions"] == first.counts["items"] == 1
    assert first.counts["texts"] > 10
    assert len(first.similar_seeds) == 1
    (export,) = first.exports
    files = [folder / "before.jsonl", folder / "before.jsonl.manifest.json"]
    assert export["files"] == [str(file) for file in files]
    second = forget(project, seed="again")
    assert second.counts["texts"] > 5
    for file in files:
        file.unlink()
    project.export("jsonl", folder / "after.jsonl")
    project.export("csv", folder / "after.csv")
    assert find_bytes(*SECRETS) == []
    assert audit_log.verify(project.store).intact
    # the others are as they were, and the store still works
    summary = project.resume(second_run(project))
    assert summary.forgotten == 1
    assert summary.items == summary.pending_review + summary.forgotten
    assert {r["external_id"][:9] for r in rows(project.store, "seeds")} == {"o0", "o1", "o2", "forgotten"}
    project.close()
    assert find_bytes(*SECRETS) == []


def second_run(project: Project) -> str:
    return sorted(row["id"] for row in rows(project.store, "runs"))[-1]


def test_dry_run_changes_nothing(open_project: Any, folder: Path) -> None:
    project = open_project()
    make_history(project)
    project.store.writer.close()
    tables_before = {name: rows(project.store, name) for name in tables.metadata.tables}
    told = forgetting.look(project.store, Wanted(seed=PATIENT["id"]))
    assert told.dry_run
    assert told.counts["texts"]
    assert {name: rows(project.store, name) for name in tables_before} == tables_before
    assert not (folder / "solon.tombstones.jsonl").exists()
    done = forget(project, seed=PATIENT["id"])
    assert {**done.counts} == told.counts


def test_import_resume_preview_and_carry_over_obey(open_project: Any, folder: Path) -> None:
    from solon.operations.preview import preview

    project = open_project()
    run_id = make_history(project)
    forget(project, seed=PATIENT["id"])
    forget(project, seed="again")
    resumed = project.resume(run_id)
    assert (resumed.rejected, resumed.forgotten) == (0, 1)
    seeds = [
        PATIENT,
        {**PATIENT, "id": "renamed"},
        {"id": "spelt", "prompt": WORDS["prompt"].upper(), "input": WORDS["input"]},
        {"id": f"file-{ZEBRA}", "prompt": "a row that stands twice"},
        OTHERS[0],
    ]
    run = project.run("preference", seeds, new_run=True)
    assert (run.items, run.bad_rows, run.carried) == (1, 4, 0)
    refused = (folder / f"solon.{run.run_id}.bad-rows.jsonl").read_text()
    assert (refused.count("tombstone"), refused.count("duplicate id")) == (3, 1)
    assert ZEBRA not in refused
    same_id = project.run("preference", [{"id": PATIENT["id"], "prompt": "other words"}, OTHERS[1]])
    assert (same_id.items, same_id.bad_rows) == (1, 1)
    seen = preview("preference", seeds, project, n=5, draw=1)
    assert (seen.seeds, seen.bad_rows) == (1, 4)
    with pytest.raises(UsageError, match="tombstone"):
        project.run("preference", [PATIENT], new_run=True)
    # what was forgotten is never driven again, whatever asks for it
    item = next(row for row in rows(project.store, "items") if row["reason"] == "forgotten")
    table = tables.items
    with project.store.transaction() as connection:
        connection.execute(update(table).where(table.c.id == item["id"]).values(state="queued"))
    calls = len(rows(project.store, "calls"))
    project.resume(item["run_id"])
    assert len(rows(project.store, "calls")) == calls


def test_group_subject_hash_and_phrase(open_project: Any) -> None:
    import hashlib

    project = open_project()
    project.run("preference", [PATIENT, {**PATIENT, "id": "second", "prompt": "Another question?"}, *OTHERS])
    digest = hashlib.sha256(WORDS["given"].encode()).hexdigest()
    one, two = (
        {row["external_id"]: row["id"] for row in rows(project.store, "seeds")}[name]
        for name in (PATIENT["id"], "second")
    )
    for wanted in ({"group": PATIENT["group"]}, {"subject": PATIENT["subject"]}, {"text_hash": digest}):
        assert set(forgetting.look(project.store, Wanted(**wanted)).seeds) == {one, two}
    assert forgetting.look(project.store, Wanted(match="LONG  voyage to tromsø")).seeds == (one,)
    assert set(forgetting.look(project.store, Wanted(match="periwinkle")).seeds) == {one, two}
    with pytest.raises(UsageError, match="nothing that stands"):
        forgetting.look(project.store, Wanted(seed="nobody"))
    with pytest.raises(UsageError, match="one SEED"):
        forgetting.look(project.store, Wanted())
    with pytest.raises(UsageError, match="longer"):
        forgetting.look(project.store, Wanted(match="the"))
    assert set(forget(project, group=PATIENT["group"]).seeds) == {one, two}
    later = project.run("preference", [{"id": "new", "group": PATIENT["group"], "prompt": "New?"}, *OTHERS])
    assert later.bad_rows == 1


@pytest.mark.sqlite("a file put back from a copy")
def test_an_older_copy_is_refused_until_it_obeys(
    open_project: Any, find_bytes: Callable[..., list[str]], folder: Path
) -> None:
    project = open_project()
    make_history(project)
    project.store.writer.close()
    with sqlite3.connect(folder / "solon.db") as source, sqlite3.connect(folder / "backup.db") as target:
        source.backup(target)
    source.close()
    target.close()
    checkpoints = (folder / "solon.checkpoints.db").read_bytes()
    forget(project, group=PATIENT["group"])
    project.close()
    for name in ("solon.db-wal", "solon.db-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.move(folder / "backup.db", folder / "solon.db")
    (folder / "solon.checkpoints.db").write_bytes(checkpoints)
    with pytest.raises(StoreError, match="older copy") as refused:
        open_project()
    assert "solon forget --again" in refused.value.next_step
    with Store(f"sqlite:///{folder / 'solon.db'}", restoring=True) as store:
        made = asyncio.run(forgetting.again(store, actor="test"))
        assert len(made.seeds) == 2
    again = open_project()
    assert audit_log.verify(again.store).intact
    assert find_bytes(*SECRETS) == []


def test_a_release_is_named_and_no_longer_rebuilds(open_project: Any, folder: Path) -> None:
    from solon.eval.releases.releases import create_release, verify_release

    project = open_project()
    make_history(project)
    create_release(project.store, "first", folder / "first")
    assert verify_release(project.store, folder / "first").passed
    made = forget(project, seed=PATIENT["id"])
    assert made.releases == {"first": 1}
    checks = verify_release(project.store, folder / "first").checks
    (rebuilt,) = [check for check in checks if check.name == "rebuilt"]
    assert "1 records with erased texts" in rebuilt.told


def test_what_showed_its_precedent_to_others_goes_too(
    open_project: Any, find_bytes: Callable[..., list[str]]
) -> None:
    chat = ScriptedChat(name="default", script={"otherwise": "default"})
    project = open_project(given={"default": chat})
    make_history(project)
    precedents = tables.precedents
    with project.store.transaction() as connection:  # as a lead's decision of the seen half is
        connection.execute(
            update(precedents).values(half="seen", retrievable=True, retrievable_at=1.0, created_at=1.0)
        )
    like = {"id": "like", "prompt": "What should we do about the cough that came after the long voyage home?"}
    project.run("preference", [like])
    shown = [row for row in rows(project.store, "texts") if "] experts decided" in (row["body"] or "")]
    assert sum(ZEBRA in row["body"] for row in shown) >= 2
    made = forget(project, seed=PATIENT["id"])
    assert made.shown_to_others >= len(shown)
    forget(project, seed="again")
    assert find_bytes(*SECRETS) == []
    kept = [row for row in rows(project.store, "texts") if row["body"] in ("A", "B")]
    assert kept  # a verdict's letter tells nothing, and the same text stands behind other calls
    # and no later judge is shown it
    project.run("preference", [{**like, "id": "later", "prompt": like["prompt"] + " Again?"}])
    assert find_bytes(*SECRETS) == []


def test_refused_rows_beside_the_store(
    open_project: Any, find_bytes: Callable[..., list[str]], folder: Path
) -> None:
    project = open_project()
    project.run("preference", [PATIENT, PATIENT, {**PATIENT, "id": "x", "responses": []}, *OTHERS])
    assert any(name.endswith("bad-rows.jsonl") for name in find_bytes(*SECRETS))
    assert forget(project, seed=PATIENT["id"]).bad_rows == 2
    assert find_bytes(*SECRETS) == []


def test_a_run_at_work_is_in_the_way(open_project: Any) -> None:
    import os
    import time

    from solon.store.runs.items import owner, working

    project = open_project()
    make_history(project)
    items = tables.items
    with working() as me:
        assert me.startswith(owner())
        with project.store.transaction() as connection:
            busy = {"state": "running", "claimed_by": me, "claimed_until": time.time() + 60}
            connection.execute(update(items).where(items.c.state == "waiting").values(**busy))
        with pytest.raises(UsageError, match="at work"):
            forget(project, seed=PATIENT["id"])
    assert os.getpid()
    assert forget(project, seed=PATIENT["id"]).swept


@pytest.mark.sqlite("a file that is read")
def test_another_process_that_reads_an_older_state_is_told(
    open_project: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = open_project()
    make_history(project)
    reader = sqlite3.connect(folder / "solon.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM texts").fetchone()
    with monkeypatch.context() as patched:
        patched.setattr(pruning, "BUSY_SECONDS", 0)
        made = forget(project, seed=PATIENT["id"])
    reader.close()
    assert not made.swept
    assert "--sweep" in made.left[0]
    assert forgetting.sweep(project.store) == []


@pytest.mark.sqlite("its files are not rewritten")
def test_others_read_and_write_while_a_seed_is_forgotten(
    open_project: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, find_bytes: Callable[..., list[str]]
) -> None:
    """Nothing but the one short transaction holds the store; what is slow comes before and after it."""
    project = open_project()
    make_history(project)
    other = sqlite3.connect(folder / "solon.db", isolation_level=None, timeout=0)
    seen: list[str] = []

    def wrap(module: Any, name: str) -> None:
        inner = getattr(module, name)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            seen.append(name)
            other.execute("BEGIN IMMEDIATE")  # raises where anybody writes, or keeps the file to themselves
            other.execute("UPDATE runs SET status = status")
            other.execute("COMMIT")
            return inner(*arguments, **named)

        monkeypatch.setattr(module, name, wrapped)

    wrap(forgetting.forgetting, "reach_of")
    wrap(forgetting, "clean_bad_rows")
    wrap(forgetting, "sweep")
    wrap(pruning, "cut_log")
    statements: list[str] = []
    monkeypatch.setattr(
        pruning.sqlite3,
        "connect",
        lambda *a, _connect=sqlite3.connect, **k: _watched(_connect(*a, **k), statements),
    )
    assert forget(project, seed=PATIENT["id"]).swept
    assert seen == ["reach_of", "clean_bad_rows", "sweep", "cut_log", "cut_log"]
    assert statements
    assert not any("VACUUM" in statement for statement in statements)
    forget(project, seed="again")
    other.close()
    assert find_bytes(*SECRETS) == []


def _watched(connection: sqlite3.Connection, statements: list[str]) -> sqlite3.Connection:
    connection.set_trace_callback(statements.append)
    return connection


@pytest.mark.sqlite("the bytes of its files")
def test_a_store_of_before_is_compacted_once(
    open_project: Any, command: Any, folder: Path, find_bytes: Callable[..., list[str]]
) -> None:
    """Where nothing was overwritten yet, free pages may hold copies of what a file once moved or dropped."""
    project = open_project()
    make_history(project)
    with project.store.transaction() as connection:
        connection.execute(delete(tables.meta).where(tables.Meta.name == CLEAN))
    made = forget(project, seed=PATIENT["id"])
    assert not made.swept
    assert "solon prune --compact" in made.left[0]
    project.close()
    code, out, err = command("prune", "--compact")
    assert (code, "written anew" in out, "others wait" in err) == (0, True, True)
    assert command("forget", "again")[0] == 0
    assert find_bytes(*SECRETS) == []


def test_no_byte_is_left_in_the_tables_of_a_server(
    new_postgres_database: Callable[[], str], open_project: Any
) -> None:
    """A row that was changed lies on in its page, also after a plain VACUUM; its table is written anew."""
    import psycopg

    url = new_postgres_database()

    def find() -> list[str]:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            (place,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        files = [file for file in (Path(place) / "base").rglob("*") if file.is_file()]
        return [word for word in SECRETS if any(word.encode() in file.read_bytes() for file in files)]

    project = open_project(url=url)
    make_history(project)
    assert ZEBRA in find()
    assert forget(project, seed=PATIENT["id"]).swept
    assert forget(project, seed="again").swept
    assert find() == []


def test_a_table_that_others_hold_is_told(
    new_postgres_database: Callable[[], str], open_project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    url = new_postgres_database()
    project = open_project(url=url)
    make_history(project)
    with psycopg.connect(url) as reader:
        reader.execute("SELECT count(*) FROM texts").fetchone()
        with monkeypatch.context() as patched:
            patched.setattr(pruning, "BUSY_SECONDS", 0)
            made = forget(project, seed=PATIENT["id"])
    assert not made.swept
    assert "texts" in made.left[0]
    assert forgetting.sweep(project.store) == []


def test_both_databases_forget(store_url: str, open_project: Any, folder: Path) -> None:
    project = open_project(url=store_url)
    make_history(project)
    made = forget(project, seed=PATIENT["id"])
    assert made.swept
    forget(project, seed="again")
    bodies = " ".join(row["body"] or "" for row in rows(project.store, "texts"))
    assert not any(secret in bodies for secret in SECRETS)
    everything = json.dumps({n: rows(project.store, n) for n in tables.metadata.tables}, default=str)
    assert not any(secret in everything for secret in SECRETS)
    assert audit_log.verify(project.store).intact
    assert project.run("preference", [PATIENT, *OTHERS], new_run=True).bad_rows == 1


def test_command_line(command: Any, folder: Path) -> None:
    (folder / "seeds.jsonl").write_text("".join(json.dumps(seed) + "\n" for seed in [PATIENT, *OTHERS]))
    settings = '[privacy]\nclass = "synthetic"\n[models.default]\nmodel = "scripted:default"\n'
    (folder / "solon.toml").write_text(settings)
    assert command("run", "preference", "--seeds", "seeds.jsonl")[0] in (0, 3)
    code, out, err = command("forget", PATIENT["id"], "--dry-run")
    assert (code, "1 seeds would be forgotten" in out) == (0, True), err
    assert "out of your seed files, which Solon leaves as they are: seeds.jsonl" in out
    assert "backups made before this hold them still" in out
    seed = out.splitlines()[0].rpartition(" ")[2]
    code, out, err = command("forget", PATIENT["id"], "--by", "Dr. Weiss", "--json")
    assert code == 0, err
    told = json.loads(out.splitlines()[-1])
    assert told["swept"]
    assert ZEBRA not in out
    code, out, err = command("show", seed)
    assert (code, "forgotten, route" in out, ZEBRA in out) == (0, True, False), err
    assert command("forget", PATIENT["id"])[0] == 2
    assert command("forget")[0] == 2
    assert command("forget", "--sweep")[0] == 0
    code, out, err = command("audit", "verify")
    assert code == 0, err
    for look in (("status",), ("review", "list"), ("report", "-o", "report.html"), ("doctor", "--offline")):
        code, out, err = command(*look)
        assert code == 0, (look, err)
        assert ZEBRA not in out + err
    assert ZEBRA not in (folder / "report.html").read_text()


def test_what_an_expert_still_has_on_screen_comes_too_late(
    open_project: Any, find_bytes: Callable[..., list[str]]
) -> None:
    from solon.errors import NotPending
    from solon.store.reviewing.answering import answer_lease
    from solon.store.reviewing.drafts import write_draft
    from solon.store.reviewing.experts import add_expert
    from solon.store.reviewing.queue import lease_review
    from solon.store.reviewing.undoing import undo

    project = open_project()
    project.run("preference", [PATIENT, {**PATIENT, "id": "second"}])
    first, second = project.reviews()
    with_token = {"by": "test", "role": "expert", "specialties": (), "languages": ()}
    expert, _ = add_expert(project.store, "Eva", **with_token)

    def answer(token: str, review: Any, **given: Any) -> Any:
        with project.store.transaction() as connection:
            return answer_lease(
                project.store, connection, expert, token, given, review_id=review.id, channel="api", times={}
            )

    with project.store.transaction() as connection:
        done, _ = lease_review(connection, expert, first.id)
        still, _ = lease_review(connection, expert, second.id)
        write_draft(connection, still.id, second.id, {"rationale": WORDS["draft"]})
    decision = answer(done.token, first, choice="tie", rationale=WORDS["rationale"]).decision_id
    forget(project, group=PATIENT["group"])
    with pytest.raises(NotPending, match="forgotten"):
        answer(still.token, second, choice="tie", rationale=WORDS["rationale"])
    with pytest.raises(NotPending, match="forgotten"), project.store.transaction() as connection:
        undo(project.store, connection, expert, decision)
    with project.store.transaction() as connection:
        write_draft(connection, still.id, second.id, {"rationale": WORDS["draft"]})
    project.resume()
    assert find_bytes(*SECRETS) == []


def test_disputes_known_questions_and_jobs_end(
    open_project: Any, find_bytes: Callable[..., list[str]], folder: Path
) -> None:
    from solon.errors import SeedError
    from solon.formats.seed_rows import SeedRow
    from solon.formats.seeds import read_seed_rows
    from solon.store.database.writer import insert_rows
    from solon.store.reviewing.known_import import import_known
    from solon.store.tables.disputes import Adjudication, Job, Proposal

    project = open_project()
    project.run("preference", [PATIENT, OTHERS[0]])
    review = next(r for r in project.reviews() if ZEBRA in r.prompt)
    questions = [
        {**PATIENT, "id": "known", "responses": [WORDS["given"], "no"], "answer": "1", "why": WORDS["edit"]}
    ]
    rows_ = [(0, row) for row in read_seed_rows(questions) if isinstance(row, SeedRow)]
    _, pins = project.prepare_run("preference", questions, new_run=True, reuse=None)
    import_known(project.store, pins, "preference", "pair@1", rows_, "golden", "test")
    text_id, text = project.store.text_row(WORDS["draft"], rows(project.store, "items")[0]["seed_id"])
    at = {"created_at": 1.0}
    case = {
        "id": "a",
        "item_id": review.item_id,
        "review_id": review.id,
        "content_hash": "h",
        "state": "open",
    }
    offer = {"id": "p", "review_id": review.id, "actor": "expert:1", "text_id": text_id, "state": "open"}
    job = {"id": "j", "kind": "propose", "state": "done", "actor": "x", "asked": {"text": WORDS["prompt"]}}
    with project.store.transaction() as connection:
        insert_rows(connection, [text, (Adjudication, {**case, "informed": False, **at})])
        insert_rows(connection, [(Proposal, {**offer, **at}), (Job, {**job, **at})])
    forget(project, match=ZEBRA)
    assert find_bytes(*SECRETS) == []
    assert rows(project.store, "adjudications")[0]["state"] == "withdrawn"
    assert rows(project.store, "proposals")[0]["state"] == "declined"
    assert rows(project.store, "known_items")[0]["retired_at"]
    with pytest.raises(SeedError, match="tombstone"):
        import_known(project.store, pins, "preference", "pair@1", rows_, "golden", "test")


def test_reviews_written_for_another_tool_are_named(command: Any, folder: Path) -> None:
    (folder / "solon.toml").write_text(
        '[models.default]\nmodel = "scripted:default"\n[routing]\npolicy = "always"\n[privacy]\nclass = "synthetic"\n'
    )
    (folder / "seeds.jsonl").write_text(json.dumps(PATIENT) + "\n")
    assert command("run", "preference", "--seeds", "seeds.jsonl")[0] == 3
    code, _, err = command("review", "export", "--format", "argilla", "--output", "tasks.json")
    assert code == 0, err
    told = json.loads(command("forget", PATIENT["id"], "--dry-run", "--json")[1].splitlines()[-1])
    assert told["exports"][0]["files"] == [str(folder / "tasks.json")]
