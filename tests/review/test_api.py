"""The API over HTTP: roles, blindness, the decision protocol, CSRF, limits."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import httpx
import pytest
from running import until
from sqlalchemy import func, insert, select, update

from solon.project import Project
from solon.review.auth import COOKIE
from solon.store.reviewing.sessions import make_login_link
from solon.store.tables import reviews, table_of
from solon.store.tables.people import Decision, Outbox
from solon.store.tables.runs import Text
from solon.store.tables.work import Critique


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


async def next_item(http: httpx.AsyncClient, **asked: Any) -> dict[str, Any]:
    answer = await http.post("/api/v1/next", json=asked)
    assert answer.status_code == 200, answer.text
    item: dict[str, Any] = answer.json()["item"]
    return item


def body(item: dict[str, Any], which: int = 0, **more: Any) -> dict[str, Any]:
    answer = {"choice": "prefer", "candidate": item["candidates"][which]["id"], "rationale": "clear"}
    return {"token": item["token"], "answer": answer, **more}


async def decide(http: httpx.AsyncClient, item: dict[str, Any], given: dict[str, Any]) -> httpx.Response:
    return await http.post(f"/api/v1/reviews/{item['review']}/decision", json=given)


def test_decide_and_apply_over_http(project: Project, person: Any, serving: Any, client: Any) -> None:
    _, token = person("Ada")

    async def go() -> None:
        async with serving(project, work=True) as app, client(app, token) as http:
            item = await next_item(http)
            taken = await decide(http, item, body(item, next=True, times={"active_seconds": 3}))
            assert taken.status_code == 200
            assert taken.json()["kind"] == "decided"
            assert taken.json()["next"]["item"]["review"] != item["review"]
            again = await decide(http, item, body(item))
            assert again.json()["replayed"]
            assert again.json()["decision"] == taken.json()["decision"]
            other = await decide(http, item, body(item, 1))
            assert (other.status_code, other.json()["error"]) == (409, "already_decided")
            await until(lambda: project.summarize().accepted == 1)
            mine = (await http.get("/api/v1/me/answers")).json()
            undone = await http.post(f"/api/v1/decisions/{mine[0]['decision']}/undo")
            assert undone.status_code == 200
            back = undone.json()["item"]
            assert back["draft"]["candidate"] in {c["id"] for c in back["candidates"]}
            assert (await decide(http, back, body(back, 1))).json()["kind"] == "decided"

    run(go())
    assert project.summarize().accepted + project.summarize().decisions_to_apply >= 1


def test_server_without_a_worker_says_what_waits(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Ada")

    async def go() -> None:
        async with serving(project, work=False) as app, client(app, token) as http:
            assert app.state.room.worker is None
            item = await next_item(http)
            await decide(http, item, body(item))

            async def to_apply() -> int:
                return int((await http.get("/api/v1/queue")).json()["to_apply"])

            assert await until(to_apply) == 1

    run(go())
    assert project.resume().accepted == 1


WORDS = re.compile(
    r"reason|verdict|vote|margin|confidence|judge|model|kind|rule|seat|panel|posterior", re.IGNORECASE
)


def _all_keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in _all_keys(inner)}
    if isinstance(value, list):
        return {key for inner in value for key in _all_keys(inner)}
    return set()


@pytest.mark.parametrize("kind", ["interrupt", "audit", "golden", "calibration", "overlap"])
def test_nothing_tells_why_a_review_is_here(
    project: Project, person: Any, serving: Any, client: Any, kind: str
) -> None:
    """Ordinary, audit, golden, calibration and overlap reviews have the same keys, headers and page."""
    _, token = person("Ada")
    with project.store.transaction() as connection:
        connection.execute(update(reviews).values(kind=kind, rule="secret-rule", margin=0.123456))

    async def go() -> tuple[dict[str, Any], str]:
        async with serving(project) as app, client(app, token) as http:
            raw = await http.post("/page/next", json={"exclude": []})
            early = await http.get(f"/api/v1/assignments/{raw.json()['item']['assignment']}/explanation")
            assert early.status_code == 404
            forbidden = await http.get(f"/api/v1/reviews/{raw.json()['item']['review']}")
            assert forbidden.status_code == 403
            return raw.json(), raw.text

    found, raw = run(go())
    expected = {
        "item", "empty", "message", "until", "html", "assignment", "review", "token", "leased_until", "answer_schema",
        "choices", "recipe", "prompt", "turns", "input", "reference", "candidates", "constitution", "principles",
        "asks", "criteria", "fields", "rationale_wanted", "draft", "id", "text", "suggestion",
        "rationale_for", "may_check", "remarks", "fix", "first", "orders", "rubric",
    }  # fmt: skip
    assert _all_keys(found) == expected
    assert not [key for key in _all_keys(found) if WORDS.search(key)]
    for secret in ("secret-rule", "0.123456", "scripted", "policy:", kind):
        if secret != "interrupt":
            assert secret not in raw.replace("calibration of", "")


def test_same_page_for_every_kind(project: Project, person: Any, serving: Any, client: Any) -> None:
    """The very same review gives the very same bytes whatever its kind."""
    _, token = person("Ada")

    async def look() -> str:
        async with serving(project) as app, client(app, token) as http:
            found = (await http.post("/page/next", json={})).json()
            return json.dumps({**found, "item": {**found["item"], "leased_until": 0}}, sort_keys=True)

    pages = set()
    for kind in ("interrupt", "audit", "golden", "overlap"):
        with project.store.transaction() as connection:
            connection.execute(update(reviews).values(kind=kind))
        pages.add(run(look()))
    assert len(pages) == 1


def test_order_is_blind_and_stays(project: Project, person: Any, serving: Any, client: Any) -> None:
    """The sides are drawn per person and review: about half swapped, the same at every look."""
    from solon.review.blind import shown_order
    from solon.review.state import Options, make_room

    room = make_room(project, Options(work=False))
    from solon.store.reviewing.review_rows import list_reviews

    with project.store.connect() as connection:
        waiting = list_reviews(connection)
    swapped = 0
    for n in range(10):
        expert, _ = person(f"P{n}")
        with project.store.connect() as connection:
            for review in waiting:
                order = shown_order(room, connection, review, expert)
                assert order == shown_order(room, connection, review, expert)
                swapped += order != review.candidates
    assert 0.3 < swapped / (10 * len(waiting)) < 0.7


def test_explanation_comes_after_the_answer_and_names_no_one(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Ada")

    async def go() -> dict[str, Any]:
        async with serving(project) as app, client(app, token) as http:
            item = await next_item(http)
            await decide(http, item, body(item))
            answer = await http.get(f"/api/v1/assignments/{item['assignment']}/explanation")
            assert (await http.get(f"/page/explanation/{item['assignment']}")).status_code == 200
            told: dict[str, Any] = answer.json()
            return told

    told = run(go())
    assert told["reasons"]
    assert len(told["verdicts"]) == 4
    assert {v["favours"] for v in told["verdicts"]} <= {1, 2, None}
    assert told["decision"]["yours"]


def test_a_revised_answer_is_explained_by_what_was_said_of_its_draft(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    """Critics read drafts: a panel that saw two revisions is not told as if critics had found nothing."""
    _, token = person("Ada")
    from solon.store.tables import candidates

    found = {"severity": "fatal", "principle": "true-claims", "quote": "words", "suggestion": "other words"}
    with project.store.transaction() as connection:
        connection.execute(
            update(table_of(Text))
            .where(table_of(Text).c.id.in_(select(table_of(Critique).c.text_id)))
            .values(body=json.dumps([found]))
        )
        rows = connection.execute(select(candidates)).mappings().all()
        for row in rows:
            draft = {**row, "id": f"{row['id'][:-1]}x", "round": -1}
            connection.execute(insert(candidates).values(draft))
            connection.execute(
                update(candidates).where(candidates.c.id == row["id"]).values(parent_id=draft["id"])
            )
        behind = table_of(Critique).c.candidate_id
        connection.execute(
            update(Critique).values(candidate_id=func.substr(behind, 1, func.length(behind) - 1) + "x")
        )

    async def go() -> tuple[dict[str, Any], str]:
        async with serving(project) as app, client(app, token) as http:
            item = await next_item(http)
            await decide(http, item, body(item))
            answer = await http.get(f"/api/v1/assignments/{item['assignment']}/explanation")
            return answer.json(), (await http.get(f"/page/explanation/{item['assignment']}")).text

    told, page = run(go())
    assert [(f["place"], f["of_draft"], f["quote"]) for f in told["findings"]] == [
        (1, True, "words"),
        (2, True, "words"),
    ]
    assert page.count("its draft, before it was revised") == 2


def test_opening_early_is_recorded(project: Project, person: Any, serving: Any, client: Any) -> None:
    _, token = person("Ada")

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http:
            item = await next_item(http)
            revealed = await http.post(f"/api/v1/assignments/{item['assignment']}/reveal")
            assert revealed.json()["verdicts"]
            await decide(http, item, body(item))

    run(go())
    with project.store.connect() as connection:
        assert connection.execute(select(table_of(Decision).c.counts)).scalar_one() is False


LEAD_ONLY = [
    "/api/v1/reviews",
    "/api/v1/audit-log",
    "/api/v1/audit-log/check",
    "/api/v1/experts",
    "/lead/queue",
]


@pytest.mark.parametrize("path", LEAD_ONLY)
def test_roles(project: Project, person: Any, serving: Any, client: Any, path: str) -> None:
    _, expert = person("Ada")
    _, lead = person("Lea", role="lead")

    async def go() -> None:
        async with serving(project) as app:
            async with client(app) as http:
                assert (await http.get(path)).status_code in (401, 303)
            async with client(app, "solon_0000000000000000_" + "a" * 43) as http:
                assert (await http.get(path)).status_code in (401, 303)
            async with client(app, expert) as http:
                assert (await http.get(path)).status_code == 403
            async with client(app, lead) as http:
                assert (await http.get(path)).status_code == 200
                assert (await http.post("/api/v1/experts", json={"name": "X"})).status_code == 403

    run(go())


def test_statistics_of_others_are_for_leads(project: Project, person: Any, serving: Any, client: Any) -> None:
    _, expert = person("Ada")
    _, lead = person("Lea", role="lead")

    async def go() -> None:
        async with serving(project) as app:
            async with client(app, expert) as http:
                own = (await http.get("/api/v1/statistics")).json()
                assert own["team"] is None
                assert own["runs"] is None
            async with client(app, lead) as http:
                found = (await http.get("/api/v1/statistics")).json()
                assert [one["name"] for one in found["team"]] == ["Ada", "Lea"]
                assert found["runs"][0]["waiting"] == 12

    run(go())


def test_list_filters_and_pages(project: Project, person: Any, serving: Any, client: Any) -> None:
    _, lead = person("Lea", role="lead")

    async def go() -> None:
        async with serving(project) as app, client(app, lead) as http:
            seen: list[str] = []
            cursor = None
            while True:
                asked = {"limit": 5} | ({"cursor": cursor} if cursor else {})
                found = (await http.get("/api/v1/reviews", params=asked)).json()
                seen += [review["id"] for review in found["reviews"]]
                cursor = found["cursor"]
                if cursor is None:
                    break
            assert len(seen) == len(set(seen)) == 12
            for word in ("any", "all"):
                found = (await http.get("/api/v1/reviews", params={"status": word, "limit": 200})).json()
                assert {review["id"] for review in found["reviews"]} >= set(seen)
            for asked, n in (
                ({"text": "WARFARIN"}, 3),
                ({"text": "100%"}, 0),
                ({"reason": "always"}, 12),
                ({"reason": "no"}, 0),
                ({"judge": "scripted:split"}, 12),
                ({"judge": "x"}, 0),
                ({"status": "decided"}, 0),
                ({"min_margin": 2}, 0),
                ({"recipe": "preference"}, 12),
            ):
                found = (await http.get("/api/v1/reviews", params={**asked, "limit": 200})).json()
                assert len(found["reviews"]) == n, asked
            bad = await http.get("/api/v1/reviews", params={"cursor": "nonsense"})
            assert (bad.status_code, bad.json()["field"]) == (422, "cursor")

    run(go())


def test_errors_name_the_field(project: Project, person: Any, serving: Any, client: Any) -> None:
    _, token = person("Ada")

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http:
            item = await next_item(http)
            cases: list[tuple[dict[str, Any], int, str | None]] = [
                ({"answer": {"choice": "prefer"}}, 422, "token"),
                ({"token": item["token"], "answer": {"choice": "both_bad"}}, 422, "rationale"),
                ({"token": item["token"], "answer": {"choice": "both_bad", "colour": 1}}, 422, "colour"),
                ({"token": item["token"], "answer": {}, "colour": 1}, 422, "colour"),
                ({"token": "guess", "answer": {"choice": "tie"}}, 404, None),
            ]
            for given, status, field in cases:
                answer = await decide(http, item, given)
                assert answer.status_code == status, answer.text
                assert answer.json()["field"] == field
                assert set(answer.json()) == {"error", "cause", "next_step", "field", "kept"}
            header = {"If-Match": f'"{item["token"]}"'}
            given = {"answer": body(item)["answer"]}
            answer = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=given, headers=header)
            assert answer.json()["kind"] == "decided"

    run(go())


def test_browser_login_csrf_and_headers(project: Project, person: Any, serving: Any, client: Any) -> None:
    _, token = person("Ada")
    secret = make_login_link(project.store, "Ada", by="local:test")

    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            assert (await http.get("/")).headers["location"] == "/login"
            field = (await http.get("/login")).text.partition('<input id="token"')[2].partition(">")[0]
            assert {'type="password"', 'autocomplete="current-password"'} <= set(field.split())
            shown = await http.get("/login", params={"link": secret})
            assert "works once" in shown.text
            entered = await http.post("/login", data={"link": secret})
            assert (entered.status_code, entered.headers["location"]) == (303, "/")
            cookie = entered.headers["set-cookie"]
            assert cookie.startswith(COOKIE)
            assert "HttpOnly" in cookie
            assert "SameSite=lax" in cookie
            page = await http.get("/")
            assert "default-src 'none'" in page.headers["content-security-policy"]
            assert page.headers["x-content-type-options"] == "nosniff"
            csrf = re.search(r'name="csrf" content="([0-9a-f]+)"', page.text)
            assert csrf is not None
            assert (await http.post("/api/v1/next", json={})).status_code == 403
            good = await http.post("/api/v1/next", json={}, headers={"X-CSRF-Token": csrf[1]})
            assert good.json()["item"] is not None
            assert (await http.post("/logout", data={"csrf": "0" * 64})).status_code == 403
            await http.post("/logout", data={"csrf": csrf[1]})
            assert (await http.get("/api/v1/me")).status_code == 401
            http.cookies.clear()
            assert (await http.post("/login", data={"link": secret})).status_code == 401
            abroad = await http.post(
                "/login", data={"token": token}, headers={"Sec-Fetch-Site": "cross-site"}
            )
            assert abroad.status_code == 403
            assert (await http.post("/login", data={"token": token})).status_code == 303
            http.cookies.set(COOKIE, "forged")
            assert (await http.get("/api/v1/me")).status_code == 401

    run(go())


def test_over_tls_the_cookie_is_this_addresses_alone_and_browsers_stay_with_tls(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Ada")

    async def go() -> None:
        async with serving(project, secure=True) as app, client(app) as http:
            http.base_url = "https://solon.test"
            abroad = {"Origin": "https://elsewhere.test"}
            entered = await http.post("/login", data={"token": token}, headers=abroad)
            assert not [name for name in entered.headers if name.startswith("access-control-")]
            assert entered.headers["strict-transport-security"] == "max-age=31536000"
            cookie = entered.headers["set-cookie"]
            assert cookie.startswith(f"__Host-{COOKIE}=")
            assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
            page = (await http.get("/")).text
            csrf = page.partition('name="csrf" content="')[2].partition('"')[0]
            gone = await http.post("/logout", data={"csrf": csrf})
            assert gone.headers["set-cookie"].startswith(f'__Host-{COOKIE}="";')
            assert "Secure" in gone.headers["set-cookie"]

    run(go())


def test_a_new_login_ends_the_session_before_it(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    (_, ada), (_, bo) = person("Ada"), person("Bo")

    async def go() -> None:
        async with serving(project) as app, client(app) as http:
            first = (await http.post("/login", data={"token": ada})).cookies[COOKIE]
            second = (await http.post("/login", data={"token": bo})).cookies[COOKIE]
            http.cookies.clear()
            for cookie, status in ((first, 401), (second, 200)):
                asked = await http.get("/api/v1/me", headers={"Cookie": f"{COOKIE}={cookie}"})
                assert asked.status_code == status

    run(go())


def test_too_large_is_refused(project: Project, person: Any, serving: Any, client: Any) -> None:
    _, token = person("Ada")

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http:
            answer = await http.post("/api/v1/next", content=b" " * 2_000_000)
            assert answer.status_code == 413

    run(go())


def test_empty_queue_says_which_kind(project: Project, person: Any, serving: Any, client: Any) -> None:
    _, token = person("Ada")
    _, surgeon = person("Sue", specialties=["surgery"])
    with project.store.transaction() as connection:
        connection.execute(update(reviews).values(specialty="law"))

    async def go() -> None:
        async with serving(project, match="require") as app, client(app, surgeon) as http:
            found = (await http.post("/api/v1/next", json={})).json()
            assert (found["item"], found["empty"]) == (None, "nothing_for_you")
            assert found["message"] == "12 reviews wait, but not for you: in other fields or languages."
        with project.store.transaction() as connection:
            connection.execute(update(reviews).values(state="withdrawn"))
        async with serving(project) as app, client(app, token) as http:
            assert (await http.post("/api/v1/next", json={})).json()["empty"] == "all_done"

    run(go())


def test_health_metrics_and_openapi(project: Project, person: Any, serving: Any, client: Any) -> None:
    _, token = person("Ada")

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http:
            assert (await http.get("/healthz")).json()["status"] == "ok"
            item = await next_item(http)
            await decide(http, item, body(item))
            text = (await http.get("/metrics")).text
            assert 'solon_answers_total{kind="decided"} 1.0' in text
            assert "solon_decisions_to_apply" in text
            openapi = (await http.get("/api/v1/openapi.json")).json()
            paths = openapi["paths"]
            assert "/api/v1/reviews/{review_id}/decision" in paths
            assert not [path for path in paths if path.startswith(("/page", "/lead"))]
            assert "prefer" in json.dumps(openapi["components"]["schemas"]["DecisionIn"])

    run(go())


def test_live_stream_tells_the_counts(project: Project, person: Any, serving: Any, client: Any) -> None:
    from solon.review.live import Live

    async def go() -> str:
        stream = Live(project.store).changes()
        return await anext(stream)

    first = run(go())
    assert first.startswith("event: queue\ndata: ")
    assert json.loads(first.split("data: ")[1])["free"] == 12


def test_read_of_an_item_is_in_the_log_and_blinds_no_more(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("Lea", role="lead")

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http:
            item = await next_item(http)
            whole = await http.get(f"/api/v1/reviews/{item['review']}")
            assert whole.json()["verdicts"]
            await decide(http, item, body(item))
            log = (await http.get("/api/v1/audit-log")).json()["entries"]
            assert [entry["action"] for entry in log[:3]] == ["review.decided", "item.read", "review.read"]
            assert (await http.get("/api/v1/audit-log/check")).json()["intact"]

    run(go())
    with project.store.connect() as connection:
        assert connection.execute(select(table_of(Decision).c.counts)).scalar_one() is False


def test_a_blank_filter_is_not_everything(project: Project, person: Any, serving: Any, client: Any) -> None:
    _, token = person("Lea", role="lead")

    async def go() -> None:
        async with serving(project) as app, client(app, token) as http:
            for blank in ("", "%20"):
                for query in ("reviews?run", "reviews?text", "audit-log?subject", "principles?constitution"):
                    assert (await http.get(f"/api/v1/{query}={blank}")).status_code == 422, query
            given = {"choice": "both_bad", "rationale": "withdrawn", "run": " "}
            refused = await http.post("/api/v1/reviews/bulk-decision", json=given)
            assert (refused.status_code, refused.json()["field"]) == (422, "run")
            # nor is a number that no entry has, on a database whose numbers are shorter
            assert (await http.get(f"/api/v1/audit-log?before={2**40}")).status_code == 200

    run(go())


def test_lineage_is_told_as_it_is_found(project: Project, person: Any, serving: Any, client: Any) -> None:
    """Before the answer and after it, with the record; keys that the seed has nothing for stay absent."""
    _, token = person("Lea", role="lead")

    async def go() -> list[dict[str, Any]]:
        async with serving(project, work=True) as app, client(app, token) as http:
            item = await next_item(http)
            before = (await http.get(f"/api/v1/reviews/{item['review']}")).json()
            assert before == json.loads(json.dumps(project.trace(item["review"])))
            await decide(http, item, body(item))

            async def ended() -> Any:
                found = (await http.get(f"/api/v1/items/{before['item']['id']}")).json()
                return found if found["record"] else None

            after = await until(ended)
            assert after == json.loads(json.dumps(project.trace(item["review"])))
            return [before, after]

    before, after = run(go())
    assert (before["record"], before["decisions"]) == (None, [])
    assert after["record"]["decision_id"] == after["decisions"][0]["id"]
    assert set(after["seed"]) == {"external_id", "prompt"}
    told = {reason["code"]: set(reason) for reason in after["reviews"][0]["reasons"]}
    assert told["always"] == {"code", "text"}
    assert told["margin"] == {"code", "text", "value", "limit"}


def test_nothing_is_applied_twice_when_the_server_comes_back(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    """Decisions stored by a server that died are applied by the next one, each once."""
    _, token = person("Ada")

    async def answer_some() -> None:
        async with serving(project, work=False) as app, client(app, token) as http:
            item = await next_item(http)
            for _ in range(5):
                taken = await decide(http, item, body(item, next=True))
                item = taken.json()["next"]["item"]

    async def come_back() -> None:
        async with serving(project, work=True):
            await until(lambda: project.summarize().accepted == 5)

    run(answer_some())
    run(come_back())
    summary = project.summarize()
    assert (summary.accepted, summary.pending_review, summary.decisions_to_apply) == (5, 7, 0)
    with project.store.connect() as connection:
        tries = connection.execute(select(table_of(Outbox).c.tries)).scalars().all()
    assert list(tries) == [1] * 5
