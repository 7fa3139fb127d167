"""A promise about a released set: frozen first, drawn, asked, and recomputed whatever happens to the set since."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text

from solon import Project
from solon.consensus.finite import Plan, plan_sample
from solon.consensus.target import read_target
from solon.errors import ConfigError, SolonError, UsageError
from solon.eval.releases.promises import PromiseRefused
from solon.eval.releases.releases import PromisedRecord, read_manifest, read_rows
from solon.eval.releases.standing import (
    AGREES,
    DISAGREES,
    GRANTED,
    OPEN,
    REFUSED,
    KnownSet,
    SetNow,
    Standing,
)  # fmt: skip
from solon.eval.report.promise import read_promise
from solon.store.records import release_sets
from solon.store.records.release_sets import FrozenRecord
from solon.store.reviewing.review_rows import ReviewRow, list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.runs import find_run
from solon.store.tables import decisions

Cli = Callable[..., tuple[int, str, str]]
CONFIG: dict[str, Any] = {
    "models": {"default": {"model": "scripted:default"}},
    "generator": {"revise": False},
    "routing": {"policy": "threshold", "threshold": 0.1, "audit_share": 0.0001},
}
SEEDS = [f"Explain topic {i * 7919 % 1000} in two sentences." for i in range(150)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run whose panel accepted most, with ten records that an expert decided."""
    folder = tmp_path_factory.mktemp("promises")
    with chdir(folder):  # where tombstones are looked for beside a store that is no file
        yield _make(folder)


def _make(folder: Path) -> Path:
    with Project(f"sqlite:///{folder}/solon.db", config=CONFIG) as project, project.store.transaction() as c:
        c.execute(text("UPDATE meta SET value = :key WHERE name = 'key'"), {"key": "5a" * 32})
    with Project(f"sqlite:///{folder}/solon.db", config=CONFIG) as project:
        (folder / "expert").write_text(project.experts.add("Ada Lind", ready=True))
        (folder / "lead").write_text(project.experts.add("Lena Voss", role="lead", ready=True))
        project.run("preference", SEEDS)
        for review in waiting(project, "interrupt")[:10]:
            answer(project, review, right=True)
        project.resume()
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOLON_TOKEN", raising=False)
    with Project(f"sqlite:///{tmp_path}/solon.db", config=CONFIG) as opened:
        yield opened


def query(project: Project, sql: str, **values: object) -> list[tuple[Any, ...]]:
    with project.store.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql), values)]


def change(project: Project, sql: str, **values: object) -> None:
    with project.store.transaction() as connection:
        assert connection.execute(text(sql), values).rowcount > 0


def waiting(project: Project, kind: str) -> list[ReviewRow]:
    with project.store.connect() as connection:
        return [one for one in list_reviews(connection, limit=10_000) if one.kind == kind]


def answer(project: Project, review: ReviewRow, *, right: bool, actor: str = "") -> None:
    """Answer as the expert who sides with the record, or against it."""
    own = "SELECT chosen_id FROM records WHERE item_id = :item AND superseded_at IS NULL"
    record = query(project, own, item=review.item_id)
    chosen = record[0][0] if record else review.candidates[0]
    pick = chosen if right else next(one for one in review.candidates if one != chosen)
    who = actor or f"expert:{query(project, 'SELECT id FROM experts WHERE role = :r', r='expert')[0][0]}"
    given = {"choice": "prefer", "candidate": pick}
    decide(project.store, review.id, given, actor=who, channel="api", counts=True)


def answer_all(project: Project, *, wrong: int = 0) -> int:
    """Answer every open audit, so many of them against the record; by the place in the sample."""
    open_ones = sorted(waiting(project, "audit"), key=lambda one: one.item_id)
    for number, review in enumerate(open_ones):
        answer(project, review, right=number >= wrong)
    return len(open_ones)


def promise_of(project: Project, name: str = "one", share: float = 0.9, **options: Any) -> dict[str, Any]:
    found = project.releases.create(name, promise=share, **options)["promise"]
    assert isinstance(found, dict)
    return found


def checks(project: Project, name: str = "one") -> dict[str, tuple[bool, str]]:
    return {check.name: (check.passed, check.told) for check in project.releases.verify(name).checks}


def test_the_set_is_frozen_its_sample_asked_and_then_it_is_released(project: Project, tmp_path: Path) -> None:
    planned = promise_of(project, dry_run=True)
    assert planned["state"] == "planned"
    assert not waiting(project, "audit")
    asked = promise_of(project)
    plan = asked["plan"]
    assert plan["decided"] == 10
    assert plan["rest"] == plan["records"] - 10
    assert asked["waiting"] == asked["asked"] == plan["looks"][0]["asked"] == len(waiting(project, "audit"))
    assert promise_of(project)["waiting"] == asked["asked"] == len(waiting(project, "audit")), "asked once"
    with project.store.connect() as connection:
        [frozen] = release_sets.frozen_sets(connection, "one")
    assert query(project, "SELECT action FROM audit_log WHERE subject = 'one'") == [("release.frozen",)]
    drawn = [one.item_id for one in frozen.draw(project.store.key)][: asked["asked"]]
    assert {one.item_id for one in waiting(project, "audit")} == set(drawn)
    answer_all(project)
    manifest = project.releases.create("one", promise=0.9)
    section = manifest["promise"]
    records = section["figures"]["records"]
    assert section["sentence"] == (
        f"Of these {records} records at least 90% agree with the experts, with 90% confidence."
    )
    assert section["figures"]["slips"] == 0
    assert section["figures"]["by_experts"] == 10 + asked["asked"]
    assert section["figures"]["wrong_at_most"] <= records * 0.1
    assert [one["state"] for one in section["sample"]] == ["agrees"] * asked["asked"]
    assert manifest["export"]["written"] == records
    found = project.releases.verify("one")
    assert found.passed, found
    assert "recomputed" in checks(project)["promise"][1]
    card = (tmp_path / "releases" / "one" / "README.md").read_text()
    assert section["sentence"] in card
    assert "It does not say" in card
    [run] = manifest["runs"]
    assert f"The panel of run {run}: 1: a careful expert in the subject" in card.replace("\\", "")
    assert "signatures.json" in card
    assert [look["error"] for look in section["plan"]["looks"]] == [0.063, 0.027], "no digits of rounding"
    assert "Ada" not in json.dumps(manifest)


def test_a_review_of_the_sample_looks_like_any_audit(project: Project) -> None:
    promise_of(project)
    [one, *_] = waiting(project, "audit")
    assert (one.rule, one.reasons, one.interrupt_id, one.prefer_actor) == ("audit", [], None, None)
    assert one.response_schema == "pair@1"
    asked = query(
        project, "SELECT content_hash FROM reviews WHERE kind = 'interrupt' AND item_id = :i", i=one.item_id
    )
    assert asked in ([], [(one.content_hash,)])
    known = waiting(project, "interrupt")[0]
    from solon.store.records.checking import questions_of

    answer(project, known, right=True)
    project.resume()
    [(record,)] = query(project, "SELECT id FROM records WHERE item_id = :i", i=known.item_id)
    with project.store.connect() as connection:
        [question] = questions_of(connection, [record]).values()
    assert question.name == known.content_hash, "a record names the same question as its review did"
    assert question.by_expert


def test_slips_count_though_they_are_left_out_and_the_sample_is_extended_once(project: Project) -> None:
    first = promise_of(project)
    room = first["plan"]["looks"][0]["slips"]
    answer_all(project, wrong=room + 2)
    second = promise_of(project)
    assert (second["state"], second["looks"], second["slips"]) == ("asked", 2, room + 2)
    assert second["asked"] == first["plan"]["looks"][1]["asked"]
    with pytest.raises(UsageError, match="90% could still be shown") as refused:
        project.releases.create("one", promise=0.5)
    assert "--settle" in str(refused.value.next_step)
    answer_all(project)
    manifest = project.releases.create("one", promise=0.9)
    figures = manifest["promise"]["figures"]
    assert (figures["looks"], figures["slips"], figures["found_wrong"]) == (2, room + 2, room + 2)
    assert manifest["export"]["left_out"]["found_wrong"] == room + 2
    assert figures["records"] == first["plan"]["records"] - room - 2
    assert project.releases.verify("one").passed


def test_whoever_settles_for_less_ends_the_set(project: Project) -> None:
    room = promise_of(project)["plan"]["looks"][0]["slips"]
    answer_all(project, wrong=room + 2)
    assert promise_of(project)["state"] == "asked"
    manifest = project.releases.create("one", promise=0.5, settle=True)
    assert manifest["promise"]["promise"] == 0.5
    assert project.releases.verify("one").passed


def test_a_refusal_names_the_promise_that_the_same_answers_show(project: Project, tmp_path: Path) -> None:
    asked = promise_of(project, slips=0)["asked"]
    answer_all(project, wrong=9)
    with pytest.raises(PromiseRefused, match=f"9 of the {asked} records that were answered") as refused:
        promise_of(project, slips=0)
    shown = float(refused.value.next_step.split()[1])
    assert 0.3 < shown < 0.9
    assert not (tmp_path / "releases" / "one").exists()
    with pytest.raises(PromiseRefused):
        promise_of(project, slips=0)
    manifest = project.releases.create("one", promise=shown, slips=0)
    assert manifest["promise"]["promise"] == shown
    assert project.releases.verify("one").passed


def test_a_larger_promise_other_options_and_none_at_all_are_refused_for_a_frozen_set(
    project: Project,
) -> None:
    promise_of(project)
    for options, said in (
        ({"promise": 0.95}, "planned to promise 0.9"),
        ({"promise": 0.9, "confidence": 0.95}, "confidence 0.9"),
        ({"promise": 0.9, "min_margin": 0.5}, "other options"),
        ({}, "frozen for a promise"),
    ):
        with pytest.raises(UsageError, match=said):
            project.releases.create("one", **options)


def test_what_changes_after_freezing_counts_against_the_promise(project: Project) -> None:
    promise_of(project)
    gone, other, *_ = waiting(project, "audit")
    # One record takes the other side, another one leaves the set.
    swap = "UPDATE records SET chosen_id = rejected_id, rejected_id = chosen_id WHERE item_id = :item"
    change(project, swap, item=other.item_id)
    change(project, "UPDATE records SET superseded_at = 1.0 WHERE item_id = :item", item=gone.item_id)
    found = promise_of(project)
    assert found["slips"] == 2, "neither can be asked about as it was frozen"
    for review in waiting(project, "audit"):
        if review.item_id not in (gone.item_id, other.item_id):
            answer(project, review, right=True)
    manifest = project.releases.create("one", promise=0.9)
    figures = manifest["promise"]["figures"]
    assert (figures["changed"], figures["gone"], figures["slips"]) == (1, 1, 2)
    assert {one["state"] for one in manifest["promise"]["sample"]} == {"agrees", "changed"}
    assert figures["records"] == found["plan"]["records"] - 1
    assert [row["promise"] for row in read_rows(Path("releases/one"))].count("changed") == 1


def test_records_accepted_after_freezing_are_not_released(project: Project) -> None:
    frozen = promise_of(project)["plan"]["records"]
    answer_all(project)
    late = waiting(project, "interrupt")[0]
    answer(project, late, right=True)
    project.resume()
    manifest = project.releases.create("one", promise=0.9)
    assert manifest["export"]["left_out"]["accepted_after_freezing"] == 1
    assert frozen - 1 <= manifest["export"]["written"] <= frozen, "`resume` learned, and may doubt a record"
    assert project.releases.verify("one").passed


def test_a_forgotten_seed_is_a_slip_and_leaves_the_set(project: Project) -> None:
    frozen = promise_of(project)["plan"]["records"]
    item = waiting(project, "audit")[0].item_id
    [(seed,)] = query(project, "SELECT seed_id FROM items WHERE id = :i", i=item)
    with project.store.connect() as connection:
        before = read_promise(connection, find_run(connection)).items
    project.forget(seed=seed)
    with project.store.connect() as connection:
        after = read_promise(connection, find_run(connection)).items
    assert (after["erased"], after["not done yet"]) == (1, before["not done yet"])
    assert before["waiting for people"] == len({one.item_id for one in waiting(project, "interrupt")})
    assert promise_of(project)["slips"] == 1
    answer_all(project)
    figures = project.releases.create("one", promise=0.9)["promise"]["figures"]
    assert (figures["slips"], figures["gone"], figures["records"]) == (1, 1, frozen - 1)


def test_answers_taken_back_after_the_release_are_recomputed(project: Project) -> None:
    promise_of(project)
    answer_all(project)
    project.releases.create("one", promise=0.9)
    sample = "SELECT d.id FROM decisions d JOIN reviews r ON r.id = d.review_id WHERE r.kind = 'audit' ORDER BY d.id"
    given = [row[0] for row in query(project, sample)]
    change(project, "UPDATE decisions SET undone_at = 1.0 WHERE id = :id", id=given[0])
    passed, told = checks(project)["promise"]
    assert passed
    assert "1 of its answers changed or were taken back" in told
    asked: list[str] = []
    with project.store.connect() as connection:
        event.listen(connection, "before_cursor_execute", lambda *said: asked.append(said[2]))
        assert release_sets.count_taken_back(connection) == {}
    assert not any("release_sets.records" in one for one in asked), "no set is read whole"
    for name in given[1:10]:
        change(project, "UPDATE decisions SET undone_at = decided_at + 1e9 WHERE id = :id", id=name)
    along = (
        "SELECT item_id, undone_at FROM decisions WHERE id = :last"  # what rested on an answer goes with it
    )
    change(
        project,
        f"UPDATE decisions SET (item_id, undone_at) = ({along}) WHERE id = :id",
        id=given[10],
        last=given[9],
    )
    with project.store.connect() as connection:
        assert release_sets.count_taken_back(connection) == {"one": 9}
    with project.store.transaction() as connection:  # one is given again as it was, one otherwise
        for n, other in ((1, ""), (2, "tie")):
            row = dict(
                connection.execute(select(decisions).where(decisions.c.id == given[n])).mappings().one()
            )
            row |= {"id": f"again {n}", "decided_at": row["undone_at"] + 1, "undone_at": None}
            row |= {"choice": other or row["choice"]}
            connection.execute(decisions.insert().values(**row))
    with project.store.connect() as connection:
        assert release_sets.count_taken_back(connection) == {"one": 8}
    [stands] = project.report("report.md").promises
    assert (stands.holds, stands.now) == (False, checks(project)["promise"][1].partition("confidence. ")[2])
    page = Path("report.md").read_text()
    assert "**No longer promised:** Of these" in page
    assert "Nobody has signed it. It no longer holds: " in page
    passed, told = checks(project)["promise"]
    assert not passed
    assert told.startswith("no longer holds")


def test_records_that_another_set_found_wrong_are_counted_against_a_released_one(project: Project) -> None:
    promise_of(project)
    answer_all(project)
    figures = project.releases.create("one", promise=0.9)["promise"]["figures"]
    possible, records = figures["wrong_at_most"], figures["records"]
    allowed = records // 10
    promise_of(project, "two")
    asked = sorted(waiting(project, "audit"), key=lambda one: one.item_id)
    told = {}
    for wrong, review in enumerate(asked[: allowed + 1], start=1):
        answer(project, review, right=False)
        if wrong in (possible, possible + 1, allowed + 1):
            told[wrong] = checks(project)["promise"]
    assert told[possible][0]
    assert f"At most {possible} of {records} are wrong, recomputed; {possible} of them" in told[possible][1]
    for wrong, limit in (
        (possible + 1, f"{possible} that its sample left possible"),
        (allowed + 1, f"{allowed} that the promise allows"),
    ):
        passed, said = told[wrong]
        assert (passed, said.split(":")[0]) == (False, "no longer holds")
        assert f"By now {wrong} of {records} are known to be wrong, more than the {limit}" in said


def test_what_was_sealed_is_checked(project: Project) -> None:
    promise_of(project)
    answer_all(project)
    manifest = project.releases.create("one", promise=0.9)
    path = Path("releases/one/release.json")
    kept = path.read_text()
    path.write_text(kept.replace("at least 90% agree", "at least 99% agree"))
    assert not checks(project)["seal"][0]
    path.write_text(kept)
    card = Path("releases/one/README.md")
    card.write_text(card.read_text() + "and more")
    assert not checks(project)["file README.md"][0]
    name = manifest["promise"]["set"]
    [(records,)] = query(project, "SELECT records FROM release_sets WHERE id = :id", id=name)
    fewer = json.dumps((json.loads(records) if isinstance(records, str) else records)[1:])
    change(project, "UPDATE release_sets SET records = :r WHERE id = :id", r=fewer, id=name)
    assert checks(project)["promise"] == (False, "the frozen set was changed after it was sealed")


def test_a_lead_signs_and_verify_shows_it(project: Project, made: Path, tmp_path: Path) -> None:
    promise_of(project)
    answer_all(project)
    section = project.releases.create("one", promise=0.9)["promise"]
    with pytest.raises(UsageError, match="signed by a lead"):
        project.releases.sign("one")
    url = f"sqlite:///{tmp_path}/solon.db"
    with (
        Project(url, config=CONFIG, expert=(made / "expert").read_text()) as expert,
        pytest.raises(UsageError, match="your role is expert"),
    ):
        expert.releases.sign("one")
    with Project(url, config=CONFIG, expert=(made / "lead").read_text()) as lead:
        signature = lead.releases.sign("one")
        assert lead.releases.sign("one") == signature, "once"
        assert lead.releases.create("plain")["name"] == "plain"
        with pytest.raises(UsageError, match="promises nothing"):
            lead.releases.sign("plain")
    assert (signature["name"], signature["sentence"]) == ("Lena Voss", section["sentence"])
    assert signature["does_not_say"] == section["does_not_say"]
    passed, told = checks(project)["signature"]
    assert passed
    assert told.startswith("signed by Lena Voss, ")
    assert project.releases.verify("one").passed
    path = tmp_path / "releases" / "one" / "signatures.json"
    kept = path.read_text()
    path.write_text(kept.replace("90% agree", "99% agree"))
    found = [check.told for check in project.releases.verify("one").checks if not check.passed]
    assert any("not as it was signed" in told for told in found)
    path.unlink()
    assert not checks(project)["signature"][0], "the log knows of it"
    path.write_text(kept)
    release = tmp_path / "releases" / "one" / "release.json"
    release.write_text(release.read_text().replace("{", "{ ", 1))
    assert "changed since" in checks(project)["signature"][1]
    assert "Lena" not in json.dumps(query(project, "SELECT detail FROM audit_log"), default=str)


def test_experts_alone_need_no_sample(project: Project) -> None:
    change(project, "UPDATE records SET superseded_at = 1.0 WHERE route <> 'decided'")
    manifest = project.releases.create("one", promise=0.95)
    section = manifest["promise"]
    assert (section["sample"], section["figures"]["wrong_at_most"]) == ([], 0)
    assert section["figures"]["records"] == section["figures"]["by_experts"] == 10
    assert project.releases.verify("one").passed
    change(project, "UPDATE records SET superseded_at = 1.0")
    with pytest.raises(UsageError, match="no record to promise anything of"):
        project.releases.create("two", promise=0.95)


def test_decisions_without_a_token_are_tested_like_the_panel(project: Project) -> None:
    before = promise_of(project, dry_run=True)["plan"]
    change(project, "UPDATE decisions SET counts = :no", no=False)
    after = promise_of(project, "two", dry_run=True)["plan"]
    assert (before["decided"], after["decided"]) == (10, 0)


def test_one_set_at_a_time_and_a_further_attempt_is_tested_harder(project: Project) -> None:
    first = promise_of(project)
    with pytest.raises(UsageError, match="'one' asks about some of these records already"):
        promise_of(project, "two")
    assert project.releases.withdraw("one") == first["asked"]
    assert not waiting(project, "audit")
    assert promise_of(project, "two")["plan"]["looks"] == first["plan"]["looks"], "nothing had been answered"
    drawn = {one.item_id for one in waiting(project, "audit")}
    answer(project, waiting(project, "audit")[0], right=True)
    project.releases.withdraw("two")
    planned = promise_of(project, "three", dry_run=True)
    assert (first["attempt"], planned["attempt"]) == (1, 2)
    assert "attempt 2 at some of these records" in planned["told"][-1]
    assert not any("attempt" in line for line in first["told"])
    third = promise_of(project, "three")
    assert third["plan"]["looks"][0]["error"] == pytest.approx(first["plan"]["looks"][0]["error"] / 10)
    assert third["plan"]["decided"] == 11, "what was answered is known, and drawn no more"
    assert drawn - {one.item_id for one in waiting(project, "audit")} < drawn
    with pytest.raises(UsageError, match="no set is frozen"):
        project.releases.withdraw("two")


@pytest.mark.parametrize(("target", "further"), [("majority(3)", 2), ("adjudicated", 1)])
def test_a_promise_of_several_experts_asks_so_many_and_tests_what_one_decided(
    project: Project, target: str, further: int
) -> None:
    [(payload,)] = query(project, "SELECT payload FROM configs")
    config = json.loads(payload) if isinstance(payload, str) else payload
    config["routing"]["target"] = target
    change(project, "UPDATE configs SET payload = :payload", payload=json.dumps(config))
    with pytest.raises(UsageError, match="takes 3 experts whose answers decide, and there are 2"):
        promise_of(project)
    project.experts.add("Third", ready=True)
    asked = promise_of(project)
    assert asked["plan"]["decided"] == 0
    by_item: dict[str, list[str]] = {}
    for review in [*waiting(project, "audit"), *waiting(project, "overlap")]:
        by_item.setdefault(review.item_id, []).append(review.kind)
    assert {tuple(kinds) for kinds in by_item.values()} == {("audit",) * 3, ("overlap",) * further}
    assert len(by_item) == asked["asked"]
    for kind in ("audit", "overlap"):
        seen: dict[str, int] = {}
        for review in waiting(project, kind):
            seen[review.item_id] = seen.get(review.item_id, 0) + 1
            answer(project, review, right=True, actor=f"expert:p{seen[review.item_id]}")
    manifest = project.releases.create("one", promise=0.9)
    assert manifest["promise"]["target"] == target
    assert manifest["promise"]["figures"]["slips"] == 0
    assert project.releases.verify("one").passed


def test_whoever_looks_after_each_answer_sees_no_other_end_than_who_waits() -> None:
    """What is granted with answers open stays granted however they come out."""
    draw, ends = random.Random(4), set[str]()
    for _ in range(150):
        plan = plan_sample(draw.randrange(40, 300), draw.randrange(0, 30), promise=0.9, confidence=0.9)
        if not plan.looks:
            continue
        rate = draw.choice((0.02, 0.1, 0.2))
        truth = [DISAGREES if draw.random() < rate else AGREES for _ in range(plan.looks[-1].asked)]
        states = [_known_by(plan, truth, answered).look(0.9).state for answered in range(len(truth) + 1)]
        if GRANTED in states:
            assert set(states[states.index(GRANTED) :]) == {GRANTED}
        ends.add(states[-1])
    assert ends == {GRANTED, REFUSED}


def _known_by(plan: Plan, truth: Sequence[str], answered: int) -> KnownSet:
    """The set once the first so many drawn records are answered; those that are wrong are left out."""
    states = [state if place < answered else OPEN for place, state in enumerate(truth)]
    drawn = tuple((FrozenRecord(str(n), str(n), "", True), state) for n, state in enumerate(states))
    wrong = states.count(DISAGREES)
    records = {str(n): PromisedRecord("sample", "") for n in range(plan.records - wrong)}
    now = SetNow(records, {}, frozenset(), wrong, 0, 0, 0)
    standing = Standing(read_target("single"), {}, {}, frozenset())
    return KnownSet(plan, {}, standing, now, drawn)


def test_answers_that_could_not_change_it_are_not_waited_for(project: Project) -> None:
    asked = promise_of(project)
    room = asked["plan"]["looks"][0]["slips"]
    for review in waiting(project, "audit")[room:]:
        answer(project, review, right=True)
    section = project.releases.create("one", promise=0.9)["promise"]
    assert (section["figures"]["unanswered"], section["figures"]["slips"]) == (room, 0)
    assert any(f"{room} of which nobody answered" in line for line in section["arithmetic"])
    for review in waiting(project, "audit"):
        answer(project, review, right=False)
    assert checks(project)["promise"][0], "it holds whatever they say"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"promise": 1.0}, "--promise must lie between 0 and 1"),
        ({"promise": 0.9, "confidence": 1.2}, "--confidence must lie"),
        ({"promise": 0.9, "slips": -1}, "--slips -1"),
    ],
)
def test_bad_figures_are_named(project: Project, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        project.releases.create("one", **options)
    assert query(project, "SELECT count(*) FROM release_sets") == [(0,)]


def test_without_people_nothing_is_frozen(project: Project) -> None:
    change(project, "UPDATE experts SET revoked_at = 1.0")
    with pytest.raises(UsageError, match="takes 1 experts whose answers decide, and there are 0"):
        promise_of(project)
    with pytest.raises(UsageError, match="dry run is of a promise"):
        project.releases.create("one", dry_run=True)
    with pytest.raises(UsageError, match="no name for a release"):
        promise_of(project, "../evil")
    assert query(project, "SELECT count(*) FROM release_sets") == [(0,)]


def test_a_release_without_a_promise_is_as_it_was(project: Project) -> None:
    manifest = project.releases.create("plain")
    assert not {"promise", "card"} & set(manifest)
    assert not any("promise" in row for row in read_rows(Path("releases/plain")))
    assert sorted(path.name for path in Path("releases/plain").iterdir()) == [
        "lock.txt", "plain.jsonl", "plain.jsonl.manifest.json", "release.json", "rows.jsonl",
    ]  # fmt: skip
    assert set(checks(project, "plain")) == {
        "seal",
        "log",
        "rows",
        "file plain.jsonl",
        "file plain.jsonl.manifest.json",
        "file lock.txt",
        "rebuilt",
    }


def test_what_was_sealed_and_not_put_in_its_place_is_put_there(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from solon.eval.releases import releases

    promise_of(project)
    answer_all(project)

    def fail(*_: object) -> None:
        raise SolonError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(releases, "_put", fail)
        with pytest.raises(SolonError, match="killed"):
            project.releases.create("one", promise=0.9)
    manifest = project.releases.create("one", promise=0.9)
    assert manifest == read_manifest(Path("releases/one"))
    assert project.releases.verify("one").passed
    with project.store.connect() as connection:
        assert [one.state for one in release_sets.frozen_sets(connection)] == ["written"]


def test_the_commands_say_what_waits_and_who_signed(
    project: Project, made: Path, solon: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at = ("--store", f"sqlite:///{tmp_path}/solon.db")
    code, out, _ = solon("release", "create", "one", "--promise", "0.9", "--dry-run", *at)
    assert code == 0
    assert "to be tested" in out
    code, out, _ = solon("release", "create", "one", "--promise", "0.9", *at)
    assert code == 3
    assert "wait for experts" in out
    answer_all(project)
    code, out, _ = solon("release", "create", "one", "--promise", "0.9", *at)
    assert code == 0
    assert "agree with the experts, with 90% confidence." in out
    code, _, error = solon("release", "sign", "one", *at)
    assert code == 2
    assert "SOLON_TOKEN" in error
    monkeypatch.setenv("SOLON_TOKEN", (made / "lead").read_text())
    code, out, _ = solon("release", "sign", "one", "--json", *at)
    assert json.loads(out.splitlines()[-1])["name"] == "Lena Voss"
    code, out, _ = solon("release", "verify", "one", *at)
    assert code == 0
    assert "signature: signed by Lena Voss" in out


def test_the_report_shows_what_is_promised_and_that_it_is_signed(
    project: Project, made: Path, tmp_path: Path
) -> None:
    promise_of(project)
    answer_all(project)
    section = project.releases.create("one", promise=0.9)["promise"]
    page = tmp_path / "report.html"
    [told] = project.report(page).promises
    assert (told.release, told.sentence, told.signed) == ("one", section["sentence"], 0)
    with Project(f"sqlite:///{tmp_path}/solon.db", config=CONFIG, expert=(made / "lead").read_text()) as lead:
        lead.releases.sign("one")
    assert project.report(page).promises[0].signed == 1
    shown = page.read_text()
    assert f"<b>{section['sentence']}</b>" in shown
    assert "Signed by 1 lead. It still holds: At most" in shown
    Path("releases").rename("elsewhere")
    told = project.report(page).promises[0]
    assert (told.holds, "solon release verify one" in told.standing) == (None, True)
    assert "Lena Voss" not in shown
