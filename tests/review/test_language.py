"""The language of the pages: every text stands in one file, and another file makes another language of them."""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from browsing import BROWSER_MARKS, log_in, shot
from catalogue import (
    FILE,
    HEAD,
    SAID,
    Texts,
    script,
    scripts,
    templates,
    texts_of_pages,
    texts_of_scripts,
    texts_told,
    write,
)
from running import Server

import solon
from solon.config.review import ReviewConfig
from solon.consensus.panel import Consensus
from solon.errors import ConfigError
from solon.formats.exports import FORMATS
from solon.graphs.routing import explain
from solon.recipes.rubrics import ASKED
from solon.review.language import Language, read_language
from solon.review.plain_words import ACTIONS, REASONS, STATES, WORDS, spell_code
from solon.review.rendering import environment
from solon.review.state import options_of
from solon.store.reviewing.answering import ASIDE

SEEN = {"aria-label", "placeholder", "title", "alt", "data-name"}
NO_TEXT = {"code", "kbd", "script", "style", "time"}
"""What holds no words of the pages: code, keys and times."""
VOID = {"br", "input", "link", "meta", "hr", "img", "rect", "line", "circle", "path"}
NAMES = {"Solon", "UTC", "- Solon", "SHA-256", "general 1.0.0", "p", "n"}
"""What is the same in every language: names and symbols."""


class Shown(HTMLParser):
    """Collects what somebody can read in a page: texts and described parts, without what is data of a project."""

    def __init__(self, data: str = "") -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self._data = data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        if tag not in VOID:
            self._open.append((tag, tag in NO_TEXT or bool(self._data and about.get("dir") == self._data)))
        if not self._hidden():
            self.texts += [value for name, value in attrs if name in SEEN and value]

    def handle_endtag(self, tag: str) -> None:
        while any(one == tag for one, _ in self._open) and self._open.pop()[0] != tag:
            pass

    def _hidden(self) -> bool:
        return any(hidden for _, hidden in self._open)

    def handle_data(self, data: str) -> None:
        if not self._hidden():
            self.texts.append(data)


def shown(html: str, data: str = "") -> list[str]:
    found = Shown(data)
    found.feed(html)
    return [text.strip() for text in found.texts if re.search(r"[^\W\d_]", text)]


def test_the_file_holds_every_text() -> None:
    made = write(texts_of_pages(), texts_of_scripts(), texts_told())
    if os.environ.get("SOLON_WRITE_TEXTS"):
        FILE.write_text(made, encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == made, (
        f"SOLON_WRITE_TEXTS=1 writes it; see the head of {FILE.name}"
    )


def test_no_text_of_a_template_stands_outside_of_the_file() -> None:
    assert {path.name: found for path in templates() if (found := unmarked(path))} == {}


def unmarked(path: Path) -> list[str]:
    """Texts of a template that are not looked up."""
    data, literals = [], []
    within, before = False, []
    source = re.sub(r"\{% block body_class %\}.*?\{% endblock %\}", "", path.read_text(encoding="utf-8"))
    for _, kind, value in environment().lex(source):
        if kind == "name" and before[-1:] == ["block_begin"] and value in ("trans", "endtrans"):
            within = value == "trans"
        if kind == "data" and not within:
            data.append(value)
        elif kind == "string" and not re.search(r"\b(_|ngettext) \( ([^()]* , )?$", " ".join(before) + " "):
            literals.append(value[1:-1])
        if kind != "whitespace":
            before.append(value if kind in ("name", "operator", "string") else kind)
    plain = [text for text in shown(" ".join(data)) if text.strip(" ·") not in NAMES]
    return plain + [one for one in literals if re.search(r"^[A-Z][a-z]|[a-z],? [a-z]", one)]


NO_TEXTS = re.compile(
    r"[\w-]*[#.\[][\w .#\[\]=-]+|[\w-]+, [][\w ,.:()=-]+|\[data-field\].*"
    r"|(Arrow(Left|Right|Up|Down)?|Enter|Escape|Esc|Tab"
    r"|Backspace|Delete"
    r"|Home|End|Accept|Content(-Type| Security)|X-CSRF-Token|text boxed preview|marked text|marked-said visually-hidden"
    r"|marks visually-hidden|not yet|server error)"
)
"""Literals of scripts that nobody reads: selectors, classes, names of keys and of headers."""


def test_no_text_of_a_script_stands_outside_of_the_file() -> None:
    assert {path.name: found for path in scripts() if (found := untold(path))} == {}


def untold(path: Path) -> list[str]:
    """Texts of a script that are not looked up."""
    rest = SAID.sub('""', script(path))
    literals = [a or b for a, b in re.findall(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`', rest)]
    plain = [re.sub(r"\$\{[^}]*\}", "", one).strip() for one in literals]
    said = re.compile(r"[A-Z][a-z]|[a-z]{2,},? [a-z]{2,}")
    return [one for one in plain if said.search(one) and not NO_TEXTS.fullmatch(one)]


def marked(said: str) -> str:
    """A text in ⟦ ⟧, all but the values and tags in it."""
    parts = re.split(r"(%\(\w+\)s|<[^>]*>)", said)
    return "".join(
        f"⟦{part}⟧" if place % 2 == 0 and part.strip() else part for place, part in enumerate(parts)
    )


def in_brackets(folder: Path, code: str = "en") -> Path:
    """A language that says everything in ⟦ ⟧."""
    found = tomllib.loads(FILE.read_text(encoding="utf-8"))

    def put(texts: Texts) -> Texts:
        return {
            text: marked(said) if isinstance(said, str) else [marked(one) for one in said]
            for text, said in texts.items()
        }

    path = folder / f"{code}.toml"
    head = HEAD.replace('language = "en"', f'language = "{code}"')
    path.write_text(
        write(put(found["pages"]), put(found["scripts"]), put(found["told"]), head), encoding="utf-8"
    )
    return path


def outside(html: str) -> list[str]:
    """The texts of a page that stand in no brackets and are no data."""
    while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", "", html)) != html:
        html = shorter
    found = [text.strip(" \n·,;:.()") for text in shown(html, data="auto")]
    return [text for text in found if re.search(r"[^\W\d_]", text) and text not in NAMES]


PAGES = (
    *(
        "outcomes",
        "lead",
        "lead/queue",
        "lead/queue?why=1",
        "lead/log",
        "lead/runs",
        "lead/exports",
        "lead/reviewers",
    ),
    *("lead/proposals", "lead/adjudications", "lead/constitution", "lead/amendments", "lead/principles"),
    *("lead/rules", "lead/rejudge", "lead/bulk", "nothing/here", ""),
)


@pytest.mark.anyio
async def test_a_page_in_another_language_has_no_english_left(
    project: Any, person: Any, serving: Any, client: Any, tmp_path: Path
) -> None:
    _, token = person("Ada", role="lead")
    language = str(in_brackets(tmp_path))
    html = {"Accept": "text/html"}
    async with serving(project, language=language) as app, client(app) as http:
        left = {"login": outside((await http.get("/login")).text)}
        await http.post("/login", data={"token": token})
        for name in PAGES:
            left[name] = outside((await http.get(f"/{name}", headers=html)).text)
    data = re.compile(
        rf"Ada|preference|general|local:\w+|[0-9a-f]{{6}}( preference)?|{'|'.join(FORMATS)}|[a-z]+(-[a-z]+)+"
    )
    left = {name: [text for text in texts if not data.fullmatch(text)] for name, texts in left.items()}
    left = {name: sorted(set(texts)) for name, texts in left.items() if texts}
    assert left == {}, left


async def open_page(http: Any, token: str) -> None:
    """Log in as a browser does; what is sent from then on carries the page's CSRF token."""
    await http.post("/login", data={"token": token})
    csrf = re.search(r'name="csrf" content="([^"]+)"', (await http.get("/")).text)
    assert csrf is not None
    http.headers["X-CSRF-Token"] = csrf[1]


@pytest.mark.anyio
async def test_what_an_answer_brings_has_no_english_left(
    project: Any, person: Any, serving: Any, client: Any, tmp_path: Path
) -> None:
    """The item, what is seen beside it, the disagreement of two people, its page, and a rule drafted from it."""
    tokens = [person(name, role="lead")[1] for name in ("Ada", "Ben", "Cid")]
    html: dict[str, str] = {}
    async with serving(project, language=str(in_brackets(tmp_path)), answers=2) as app:
        review = ""
        for place, token in enumerate(tokens[:2]):
            async with client(app) as http:
                await open_page(http, token)
                found = (await http.post("/page/next", json={"exclude": []})).json()
                item, html["item"] = found["item"], found["html"]
                for name in ("diff", "source"):
                    html[name] = (await http.get(f"/page/{name}/{item['assignment']}")).text
                chosen = sorted(one["text"] for one in item["candidates"])[place]
                candidate = next(one["id"] for one in item["candidates"] if one["text"] == chosen)
                given = {"choice": "prefer", "candidate": candidate, "rationale": "Safer.", "strength": 2}
                given |= {"flags": {candidate: ["unsafe"]}} if place else {}
                sent = await http.post(
                    f"/page/decide/{item['review']}", json={"token": item["token"], "answer": given}
                )
                html["said"] = sent.json()["message"]
                html["explanation"] = (await http.get(f"/page/explanation/{item['assignment']}")).text
                html["answers"] = (await http.get("/page/answers")).text
                review = review or item["review"]
        async with client(app, tokens[2]) as http:
            cases = (await http.get("/api/v1/adjudications")).json()
            html["case"] = (await http.get(f"/lead/adjudications/{cases[0]['id']}")).text
            rule = {"review": review, "text": "Names the risk first.", "reason": "Both did."}
            drafted = (await http.post("/api/v1/amendments", json=rule)).json()["id"]
            queue = (await http.get("/api/v1/reviews", params={"status": "decided"})).json()
            paths = ("lead/adjudications", f"lead/amendments/{drafted}", "lead/amendments")
            for path in (
                *paths,
                f"law/propose/{review}",
                f"law/split/{review}",
                f"lead/items/{queue['reviews'][0]['item_id']}",
            ):
                html[path] = (await http.get(f"/{path}")).text
    data = re.compile(
        r"Ada|Ben|Cid|[AB]{1,2}|[ab]|scripted:split|[a-z]+\.[a-z_]+@\d|general( [\d.]+)?( → [\d.]+)?|preference"
        r"|[a-z]+(-[a-z]+)+|[0-9a-f]{8,}"
    )
    left = {name: [text for text in outside(text) if not data.fullmatch(text)] for name, text in html.items()}
    left = {name: sorted(set(texts)) for name, texts in left.items() if texts}
    assert left == {}, left


def untranslated(language: Language, text: str) -> str:
    """The words of a composed text that stand in no brackets, once it is told in this language."""
    told = language.tell(text)
    while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", "", told)) != told:
        told = shorter
    return " ".join(re.findall(r"[a-z]{2,}", told))


def test_why_an_item_came_to_people_is_told_in_the_language(tmp_path: Path) -> None:
    """Whatever the panel found; names of outcomes and figures stay."""
    language = read_language(str(in_brackets(tmp_path)))
    votes = (("A", "B"), ("A", "A"), ("A", "abstain"), ("abstain", "abstain"))
    signals = {"flips": 0.5, "critic_against": 0.4, "n_votes": 2.0}
    told = set()
    for pair, swapped, turned, wavering in product(votes, (0, 2), (0, 1, 2), (0, 1)):
        if turned > swapped:
            continue
        consensus = Consensus(
            best="A", posterior={"A": 0.6, "B": 0.4}, margin=0.2, confidence=0.6, votes=dict(Counter(pair)),
            split=pair == ("A", "B"), judges=2, swapped=swapped, turned=turned, wavering=wavering, signals=signals,
        )  # fmt: skip
        told |= {reason["text"] for reason in explain(consensus, 0.3)}
    assert len(told) > 8
    assert {text: left for text in told if (left := untranslated(language, text))} == {}


def test_the_question_for_a_rubric_is_told_above_its_criteria(tmp_path: Path) -> None:
    """The criteria are data, and stay."""
    language = read_language(str(in_brackets(tmp_path)))
    asked = "Are these the criteria of this request? Judges will go by them."
    assert asked == ASKED
    assert language.tell_first(f"{asked}\n- 2: Is polite.") == f"⟦{asked}⟧\n- 2: Is polite."
    for problem in ("no answer", "rubric[0] and rubric[1] have the same text: 'A'"):
        text = f"Write the criteria of this request; judges will go by them. No draft of 3 was usable: {problem}."
        assert untranslated(language, text) == ""


@pytest.mark.anyio
async def test_messages_and_refusals_are_told_in_the_language_on_the_page_alone(
    project: Any, person: Any, serving: Any, client: Any, tmp_path: Path
) -> None:
    """The API keeps to its English, and to the field that it names."""
    path = in_brackets(tmp_path)
    _, token = person("Ada")
    async with serving(project, language=str(path)) as app, client(app) as http:
        bearer = {"Authorization": f"Bearer {token}"}
        english = (await http.post("/api/v1/next", json={}, headers=bearer)).json()["item"]
        wrong = {"token": english["token"], "answer": {"choice": "decline", "reason": "late"}}
        where = f"/api/v1/reviews/{english['review']}/decision"
        api = (await http.post(where, json=wrong, headers=bearer)).json()
        right = {**wrong, "answer": {"choice": "skip"}}
        skipped = (await http.post(where, json=right, headers=bearer)).json()
        undo = f"/api/v1/decisions/{skipped['assignment']}/undo"
        undone = (await http.post(undo, headers=bearer)).json()
        await open_page(http, token)
        again = {**wrong, "token": undone["item"]["token"]}
        page = (await http.post(where, json=again)).json()
        said = (await http.post(where, json={**again, "answer": {"choice": "skip"}})).json()["message"]
        lead = (await http.get("/lead/queue", headers={"Accept": "text/html"})).text
    assert (skipped["message"], undone["message"][:11]) == (
        "Skipped: it goes to someone else.",
        "Taken back.",
    )
    assert said == "⟦Skipped: it goes to someone else.⟧"
    assert (api["field"], page["field"]) == ("reason", "reason")
    assert api["cause"] == "reason: 'late' is no reason to decline"
    assert page["cause"] == "⟦reason: ⟧'late'⟦ is no reason to decline⟧"
    assert page["next_step"].startswith("⟦reasons: ⟧")
    assert "<p>⟦this needs the role ⟧⟦lead⟧⟦; yours is ⟧⟦expert⟧.</p>" in lead


def test_composed_texts_are_found_with_their_values(tmp_path: Path) -> None:
    file = tmp_path / "de.toml"
    file.write_text(
        'language = "de"\n[told]\n"margin %(1)s, needed %(2)s" = "Abstand %(1)s, nötig %(2)s"\n'
        '"at %(1)s%% of it" = "zu %(1)s%% davon"\n"not known" = "unbekannt"\n"%(1)s of %(2)s" = "%(1)s von %(2)s"\n'
    )
    told = read_language(str(file)).tell
    assert told("margin 0.20, needed 0.30") == "Abstand 0.20, nötig 0.30"
    assert told("Margin 0.20, needed 0.30.") == "Abstand 0.20, nötig 0.30."
    assert told("not known; at 5% of it; 3 not known, so") == "unbekannt; zu 5% davon; 3 unbekannt, so"
    assert told("1 of not known") == "1 von unbekannt"
    assert [told(text) for text in ("margin", "margin 1", "of ", "")] == ["margin", "margin 1", "of ", ""]
    hostile = ", ".join(["margin %(1)s, needed"] * 60)
    assert told(hostile) == hostile
    assert read_language("en").tell("margin 0.20, needed 0.30") == "margin 0.20, needed 0.30"


def test_a_language_chooses_its_forms_and_its_direction(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    said = 'language = "ar-EG"\nplural = "n==1 ? 0 : n==2 ? 1 : 2"\n[pages]\n"Saved." = "حُفظ"\n"Next" = ""\n'
    file.write_text(
        said + '"%(n)s person" = ["one", "two", "%(n)s of them"]\n[scripts]\n"Undone." = "Undone."\n'
    )
    arabic = options_of(ReviewConfig(language=str(file)))
    told = read_language(arabic.language)
    assert [told.gettext(text) for text in ("Saved.", "Next", "Send")] == ["حُفظ", "Next", "Send"]
    forms = [told.ngettext("%(n)s person", "%(n)s people", n) for n in (1, 2, 7)]
    assert (forms, told.direction, dict(told.scripts)) == (["one", "two", "%(n)s of them"], "rtl", {})
    english = read_language("en")
    assert [english.ngettext("%(n)s person", "%(n)s people", n) for n in (1, 7)] == [
        "%(n)s person",
        "%(n)s people",
    ]
    assert (english.direction, dict(english.scripts)) == ("ltr", {})


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("language = 3", "is no language tag"),
        ('language = "de"\nplural = "import os"', "plural"),
        ('language = "de"\nplural = "n % 0"', "plural: 'n % 0': integer modulo by zero, for n = 0"),
        ('language = "de"\nplural = "1 / (n < 5)"', "by zero, for n = 5"),
        ('language = "de"\nplural = "1 - n"', "there is no form -1, for n = 2"),
        ('language = "de"\n[pages]\n"Saved." = 3', "is no text"),
        ('language = "de"\npages = 3', "tables of texts"),
        ('language = "de"\n[pages]\n"Saved." = "<script>1</script>"', "other tags"),
        ('language = "de"\n[pages]\n"%(n)s more" = "noch %(m)s"', "use %(n)s"),
        ('language = "de"\n[pages]\n"%(n)s more" = "%(n)s noch, 5%"', "%% for a percent sign"),
        ("language = ", "Invalid value"),
    ],
)
def test_a_file_that_is_no_language_is_refused(tmp_path: Path, written: str, told: str) -> None:
    file = tmp_path / "de.toml"
    file.write_text(written, encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(told)):
        options_of(ReviewConfig(language=str(file)))


def test_every_code_that_pages_show_as_words_is_among_the_texts() -> None:
    """Entries of the log and reasons why an export leaves something out, as the code writes them."""
    source = "".join(path.read_text(encoding="utf-8") for path in Path(solon.__file__).parent.rglob("*.py"))
    actions = re.findall(r"\bappend\(\s*store, connection, [\w.]+, \"([a-z_.]+)\"", source)
    left_out = re.findall(r"LeftOut\(\"(\w+)\"", source)
    assert len(actions) > 20
    assert len(left_out) > 8
    aside = [f"review.{choice}" for choice in ASIDE]
    undone = ["vote.undone", "aside.undone", "decision.undone"]
    known = {*WORDS, *ACTIONS.values(), *STATES.values(), *REASONS.values()}
    assert {spell_code(code) for code in (*actions, *left_out, *aside, *undone)} - known == set()


def test_a_language_that_there_is_not_is_refused() -> None:
    for name in ("xx", "../../secrets", "nowhere.toml"):
        with pytest.raises(ConfigError) as refused:
            read_language(name)
        assert "`[review] language`" in refused.value.next_step


def test_a_language_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    for text in (f"pages = {'[' * 20_000}", f"{'a.' * 20_000}b = 1"):
        (tmp_path / "deep.toml").write_text(text)
        with pytest.raises(ConfigError, match="deep"):
            read_language(str(tmp_path / "deep.toml"))
        read_language.cache_clear()


class TestInABrowser:
    """What the scripts say, and the page from right to left."""

    pytestmark = BROWSER_MARKS

    def test_scripts_speak_the_language(
        self, browser: Any, project: Any, person: Any, tmp_path: Path
    ) -> None:
        _, token = person("Ada")
        server = Server(project, language=str(in_brackets(tmp_path, "ar")))
        server.start()
        try:
            page = log_in(browser, server, token)
            assert page.evaluate("[document.documentElement.lang, document.dir]") == ["ar", "rtl"]
            page.keyboard.press("l")
            assert page.inner_text("#said") == "⟦Say first which answer is better.⟧"
            page.keyboard.press("ArrowRight")  # where the first answer stands
            assert page.inner_text(".chosen").endswith("1⟦ is better⟧")
            page.keyboard.press("x")
            assert page.inner_text(".chosen") == "⟦To a lead⟧⟦, with your answer⟧"
            page.keyboard.press("Escape")
            page.keyboard.press("?")
            page.wait_for_selector("#dialog[open]")
            told = page.eval_on_selector_all(
                "#dialog .keys > div", "all => all.map(one => one.firstChild.data)"
            )
            assert all(re.fullmatch("⟦.*⟧", one) for one in [page.inner_text("#dialog-title"), *told]), told
            wide = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            shot(page, "right-to-left")
            assert wide
            assert page.problems == []
        finally:
            server.stop()
