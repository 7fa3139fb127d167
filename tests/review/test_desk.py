"""A lead's desk: bulk decisions, similar items, proposals, exports as jobs, and signed webhooks."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from receiving import Receiver
from running import until
from sqlalchemy import select, update

from solon.config.review import EVENTS, ReviewConfig
from solon.errors import ConfigError
from solon.project import Project
from solon.review import webhooks
from solon.review.state import options_of
from solon.review.webhooks import Herald, Hooks, hooks_of, is_public
from solon.store.database import clock
from solon.store.reviewing import hooks as stored
from solon.store.tables import experts, reviews, table_of
from solon.store.tables import hook_deliveries as deliveries
from solon.store.tables.people import Decision

SECRET = b"a secret of more than sixteen"


async def answer_one(http: Any, **more: Any) -> dict[str, Any]:
    item = (await http.post("/api/v1/next", json={})).json()["item"]
    answer = {"choice": "prefer", "candidate": item["candidates"][0]["id"], "rationale": "safer", **more}
    body = {"token": item["token"], "answer": answer}
    taken = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=body)
    assert taken.status_code == 200, taken.text
    return {**taken.json(), "prompt": item["prompt"]}


def test_bulk_counts_first_and_leaves_out_what_measures(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Lea", role="lead")
    _, expert = person("Ada")
    ids = [review.id for review in project.reviews()]
    with project.store.transaction() as connection:
        for review_id, values in (
            (ids[0], {"kind": "audit"}),
            (ids[1], {"kind": "golden"}),
            (ids[2], {"kind": "overlap"}),
            (ids[3], {"rule": "pilot"}),
            (ids[4], {"leased": True}),
        ):
            connection.execute(update(reviews).where(reviews.c.id == review_id).values(**values))

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http, client(app, expert) as other:
            url, body = "/api/v1/reviews/bulk-decision", {"choice": "both_bad", "rationale": "withdrawn"}
            assert (await other.post(url, json=body)).status_code == 403
            assert (await http.post(url, json={**body, "choice": "prefer"})).status_code == 422
            dry = (await http.post(url, json=body)).json()
            left_out = dict.fromkeys(("audit", "known", "overlap", "sample", "held"), 1)
            assert dry == {"dry_run": True, "fitting": 7, "decided": 0, "left_out": left_out}
            assert (await http.post(url, json={**body, "expected": 8})).status_code == 409
            done = (await http.post(url, json={**body, "expected": 7})).json()
            assert done == {"dry_run": False, "fitting": 7, "decided": 7, "left_out": left_out}

    asyncio.run(go())
    with project.store.connect() as connection:
        found = connection.execute(select(table_of(Decision))).mappings().all()
    assert {row["review_id"] for row in found} == set(ids[5:])
    assert not any(row["counts"] for row in found)


def test_a_principle_is_proposed_with_an_answer(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Lea", role="lead")

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http:
            await answer_one(http, proposal="Name the interaction before the dose.")
            (found,) = (await http.get("/api/v1/proposals")).json()
            assert found["text"] == "Name the interaction before the dose."
            url = f"/api/v1/proposals/{found['id']}"
            declined = {"state": "declined", "reason": "It is there already."}
            assert (await http.post(url, json=declined)).json() == declined
            assert (await http.get("/api/v1/proposals")).json() == []
            (kept,) = (await http.get("/api/v1/proposals?state=declined")).json()
            assert (kept["reason"], kept["amendment"]) == ("It is there already.", None)
            assert (await http.post(url, json={"state": "open"})).status_code == 200
            made = await http.post(f"{url}/draft", json={"reason": "Often asked."})
            assert made.status_code == 201
            (kept,) = (await http.get("/api/v1/proposals?state=taken")).json()
            assert kept["amendment"] == made.json()["amendment"]
            item = (await http.post("/api/v1/next", json={})).json()["item"]
            body = {"token": item["token"], "answer": {"choice": "tie", "proposal": 7}}
            refused = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=body)
            assert (refused.status_code, refused.json()["field"]) == (422, "proposal")

    asyncio.run(go())


def test_similar_items_after_the_answer(project: Project, person: Any, serving: Any, client: Any) -> None:
    """Case 4 asks what case 0 asks; whoever has decided one is shown it beside the other, and not what is held out."""
    _, token = person("Lea", role="lead")

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http:
            done = [await answer_one(http) for _ in range(12)]
            shown = 0
            for one in done:
                url = f"/api/v1/assignments/{one['assignment']}/explanation"
                similar = (await http.get(url)).json()["similar"]
                shown += len(similar)
                same = one["prompt"].partition(" (case")[0]
                assert all(s["prompt"].startswith(same[:12]) or s["similarity"] < 0.9 for s in similar)
            assert shown > 0
            listed = (await http.get(f"/api/v1/reviews/{done[0]['review']}/similar")).json()
            assert listed == sorted(listed, key=lambda one: -one["similarity"])

    asyncio.run(go())


def test_exports_are_jobs(project: Project, person: Any, serving: Any, client: Any) -> None:
    _, token = person("Lea", role="lead")
    _, expert = person("Ada")

    async def go() -> None:
        async with (
            serving(project, work=True) as app,
            client(app, token) as http,
            client(app, expert) as other,
        ):
            await answer_one(http)
            await until(lambda: project.summarize().accepted == 1)
            assert (await other.post("/api/v1/exports", json={"format": "jsonl"})).status_code == 403
            assert (await http.post("/api/v1/exports", json={"format": "no-such"})).status_code == 422
            begun = await http.post("/api/v1/exports", json={"format": "trl-preference"})
            assert begun.status_code == 202, begun.text
            url = f"/api/v1/exports/{begun.json()['id']}"

            async def ended() -> Any:
                found = (await http.get(url)).json()
                return found if found["state"] in ("done", "failed") else None

            job = await until(ended)
            assert (job["state"], job["result"]["written"]) == ("done", 1), job
            file = await http.get(f"{url}/files/0")
            assert hashlib.sha256(file.content).hexdigest() == job["result"]["files"][0]["sha256"]
            assert (await http.get(f"{url}/files/7")).status_code == 404
            assert (await other.get(f"{url}/files/0")).status_code == 403

    asyncio.run(go())


def test_webhooks_are_signed_and_hold_ids_only(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Ada")
    receiver = Receiver(refuse=1)
    options = Hooks((receiver.url,), EVENTS, SECRET, private=True)

    def has_looked() -> bool:
        with project.store.connect() as connection:
            return stored.untold_events(connection, [receiver.url], EVENTS) is not None

    async def go() -> str:
        async with serving(project, hooks=options) as app, client(app, token) as http:
            await until(has_looked)  # the first look tells nothing of the past
            done = await answer_one(http)
            await until(lambda: receiver.got)
            return str(done["review"])

    review_id = asyncio.run(go())
    receiver.close()
    ((headers, body),) = receiver.got
    told = json.loads(body)
    assert told.keys() == {"id", "event", "subject", "at"}
    assert (told["event"], told["subject"]) == ("review.decided", review_id)
    signed = headers["Solon-Timestamp"].encode() + b"." + body
    assert headers["Solon-Signature"] == "v1=" + hmac.new(SECRET, signed, hashlib.sha256).hexdigest()
    assert abs(time.time() - int(headers["Solon-Timestamp"])) < 3600


def test_private_addresses_are_refused(project: Project) -> None:
    """Also where a name leads there, and where a redirect would."""
    receiver = Receiver()
    with project.store.transaction() as connection:
        assert stored.untold_events(connection, [receiver.url], EVENTS) is None
        stored.note_first_look(connection)
        connection.execute(update(reviews).values(created_at=time.time() + 1))
    named = receiver.url.replace("127.0.0.1", "localhost")
    herald = Herald(project.store, Hooks((receiver.url, named), EVENTS, SECRET), 0.05)

    def tried() -> Any:
        with project.store.connect() as connection:
            rows = connection.execute(select(deliveries.c.problem, deliveries.c.tries)).all()
        return rows if len(rows) == 24 and all(row.tries for row in rows) else None

    async def go() -> None:
        herald.start()
        rows = await until(tried)
        await herald.stop()
        assert rows
        assert all("private network" in row.problem for row in rows)

    asyncio.run(go())
    receiver.close()
    assert receiver.got == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2001:4860:4860::8888", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("169.254.169.254", False), ("::1", False), ("::ffff:10.0.0.1", False), ("fe80::1%eth0", False),
        ("2002:7f00:1::", False), ("224.0.0.1", False), ("0.0.0.0", False), ("no address", False),
    ],
)  # fmt: skip
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_webhooks_need_a_secret_and_https(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ReviewConfig(webhooks=("https://hooks.example.org/solon",))
    with pytest.raises(ConfigError, match="SOLON_WEBHOOK_SECRET"):
        hooks_of(asked)
    monkeypatch.setenv("SOLON_WEBHOOK_SECRET", "x" * 32)
    made = hooks_of(asked)
    assert made is not None
    assert "xxx" not in repr(made)
    for url in ("http://hooks.example.org", "https://me:secret@hooks.example.org", "ftp://x", "https://"):
        with pytest.raises(ConfigError):
            hooks_of(ReviewConfig(webhooks=(url,)))
    assert hooks_of(ReviewConfig()) is None


def test_the_server_takes_webhooks_and_its_address_from_the_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = ReviewConfig(webhooks=("https://hooks.example.org/solon",), address="https://review.example.org")
    monkeypatch.delenv("SOLON_WEBHOOK_SECRET", raising=False)
    with pytest.raises(ConfigError, match="secret"):
        options_of(asked)
    monkeypatch.setenv("SOLON_WEBHOOK_SECRET", "a secret of more than sixteen")
    made = options_of(asked)
    assert made.hooks == hooks_of(asked)
    assert made.address == "https://review.example.org"
    assert options_of(ReviewConfig()).hooks is None
    assert options_of(ReviewConfig(match="require")).match == "require"
    assert options_of(ReviewConfig(match="require"), match="prefer").match == "prefer", (
        "the command line's goes"
    )


def test_a_dead_receiver_is_tried_later_and_given_up(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "QUICK_TRIES", 1)
    now = time.time()
    row = {"id": "aa", "event": EVENTS[0], "subject": "bb", "hook": "x", "created_at": now, "due_at": now}
    with project.store.transaction() as connection:
        connection.execute(deliveries.insert().values(**row, tries=0))
        for n in range(len(stored.WAITS) + 1):
            (hook,) = stored.due_hooks(connection)
            stored.hook_done(connection, hook, "it answered 503")
            found = connection.execute(select(deliveries)).mappings().one()
            assert (found["given_up_at"] is not None) == (n == len(stored.WAITS))
            connection.execute(update(deliveries).values(due_at=now))
        assert stored.due_hooks(connection) == []


def test_a_try_that_lies_further_ahead_than_it_can_is_made_now(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was set back by a day after the first try in vain, which waits for a minute."""
    now = time.time()
    monkeypatch.setattr(clock, "now", lambda: now)
    row = {"id": "aa", "event": EVENTS[0], "subject": "bb", "hook": "x", "created_at": now, "due_at": now}
    with project.store.transaction() as connection:
        connection.execute(deliveries.insert().values(**row, tries=0))
        stored.hook_done(connection, stored.due_hooks(connection)[0], "it answered 503")
        assert stored.due_hooks(connection) == []
        monkeypatch.setattr(clock, "now", lambda: now - 86400.0)
        (hook,) = stored.due_hooks(connection)
        assert stored.claim_hook(connection, hook, 45.0)
        assert not stored.claim_hook(connection, hook, 45.0)


@pytest.mark.parametrize("match", ["prefer", "require"])
def test_reviews_that_too_few_can_answer_are_listed(
    project: Project, person: Any, serving: Any, client: Any, match: str
) -> None:
    """Everyone is handed every field in the end, unless fields are required; whoever still practises is handed none."""
    _, token = person("Lea", role="lead", specialties=["law"])
    doc, _ = person("Doc", specialties=["medicine"])
    with project.store.transaction() as connection:
        connection.execute(update(reviews).values(specialty="medicine"))

    async def go() -> None:
        async with serving(project, match=match) as app, client(app, token) as http:
            found = (await http.get("/api/v1/queue/too-few")).json()
            line = {"specialty": "medicine", "lang": None, "reviews": 12, "people": 1}
            assert found == ([line] if match == "require" else [])
            with project.store.transaction() as connection:
                in_practice = update(experts).where(experts.c.id == doc.id).values(stage="practice")
                connection.execute(in_practice)
            found = (await http.get("/api/v1/queue/too-few")).json()
            assert found == [{**line, "people": 0 if match == "require" else 1}]

    asyncio.run(go())
