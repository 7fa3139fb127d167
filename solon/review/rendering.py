"""Templates of the pages: autoescaped, with times and hostile texts as filters."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from solon import __version__
from solon.dialogues import read_dialogue
from solon.eval.report.marking import mark_code
from solon.review import markdown
from solon.review.auth import Caller, csrf_token
from solon.review.characters import name_hidden
from solon.review.language import ENGLISH, read_language
from solon.review.plain_words import REASONS, link_subject, spell_code
from solon.review.scripts import script
from solon.review.state import Room
from solon.spans import spell_spans
from solon.store.records.lead_work import count_lead_work


@lru_cache(maxsize=16)
def environment(language: str = ENGLISH) -> Environment:
    """Return the templates of the pages in a language (a name for `read_language`), loaded once, with their filters."""
    said = read_language(language)
    templates = Environment(
        loader=PackageLoader("solon.review", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    templates.install_gettext_callables(said.gettext, said.ngettext, newstyle=False)  # type: ignore[attr-defined]
    templates.filters["turns"] = read_dialogue
    templates.filters["markdown"] = lambda text: Markup(markdown.render(str(text)))
    templates.filters["source"] = lambda text: Markup(markdown.render_source(str(text)))
    templates.filters["date"] = _time
    templates.filters["percent"] = lambda share: "-" if share is None else f"{100 * share:.0f}%"
    templates.filters["spelled"] = spell_spans
    templates.filters["visible"] = lambda text: name_hidden(str(text))
    templates.filters["code"] = mark_code
    templates.filters["plain"] = lambda code: said.gettext(spell_code(code))
    templates.filters["word"] = said.word
    templates.filters["told"] = said.tell
    templates.filters["asked"] = said.tell_first
    templates.globals["language"] = said
    templates.globals["reasons"] = REASONS
    templates.globals["link_subject"] = link_subject
    templates.globals["version"] = __version__
    templates.globals["script"] = script()[0]
    return templates


def _time(seconds: float | None) -> Markup:
    """A time for people: in UTC, which `times.js` turns into that of the reader."""
    if seconds is None:
        return Markup("-")
    at = datetime.fromtimestamp(seconds, UTC)
    return Markup('<time datetime="{:%Y-%m-%dT%H:%M:%SZ}">{:%Y-%m-%d %H:%M} UTC</time>').format(at, at)


def render(room: Room, name: str, **values: Any) -> str:
    """Return a template, filled in with values, as text in the language of the server."""
    return environment(room.options.language).get_template(name).render(**values)


def page(room: Room, caller: Caller, name: str, **values: Any) -> HTMLResponse:
    """Return a whole page for someone who is logged in: a template, filled in with values. Leads see beside the names
    of their pages how much waits there."""
    waits = None
    if caller.expert.may("lead"):
        with room.store.connect() as connection:
            waits = count_lead_work(connection, caller.expert.actor)
    common = {"expert": caller.expert, "csrf": csrf_token(room, caller.session), "waits": waits}
    common["writes"] = bool(room.options.hand_in) and caller.expert.may("expert")
    return HTMLResponse(render(room, name, **common, **values))
