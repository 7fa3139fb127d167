"""What a model repeats of its prompt never becomes a text of ours; what only speaks about such things stays."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.agents.echoes import cut
from solon.agents.legislator import DraftAnswer, _own_words
from solon.prompts.library import PromptLibrary, Rendered

LAW = (
    "[be-true] State only what is true as far as it is known.\n[be-short] Stop when the request is answered."
)
REQUEST = "Which river flows through the city of Dresden?"
DRAFT = "The Rhine flows through Dresden."
FINDINGS = "- (fatal) [be-true] 'The Rhine': It is the Elbe.\n- (minor) [general] '': Name the source, too."
OWN = "The Elbe flows through Dresden.\n\nIt rises in the Krkonose mountains."
PROMPTS = PromptLibrary()


def revising(**values: str) -> Rendered:
    given = {"prompt": REQUEST, "input": "", "answer": DRAFT, "findings": FINDINGS}
    return PROMPTS["generator.revise"].render("5ec4e7", constitution=LAW, **{**given, **values})


PROMPT = revising()
M = PROMPT.mark
LABEL = next(label for label, text in PROMPT.fenced if text == DRAFT)
ORDERS = [line for line in PROMPT.frame.strip().split("\n") if line.strip()]
AT_WORK = f"[{LABEL} {M}]\n{{}}\n[end of {LABEL} {M}]"
ASKED = f"[request {M}]\n{REQUEST}\n[end of request {M}]"
FOUND = f"[findings {M}]\n{FINDINGS}\n[end of findings {M}]"

ECHOES = {
    "between markers": AT_WORK.format(OWN),
    "an end alone": f"{OWN}\n[end of {LABEL} {M}]",
    "a begin alone": f"[{LABEL} {M}]\n{OWN}",
    "on one line": f"[{LABEL} {M}] {OWN} [end of {LABEL} {M}]",
    "as a request": f"[request {M}]\n{OWN}\n[end of request {M}]",
    "a label of its own": f"[new answer {M}]\n{OWN}\n[/new answer {M}]",
    "in bold": f"**[{LABEL} {M}]**\n{OWN}\n**[end of {LABEL} {M}]**",
    "as a list": f"- [{LABEL} {M}]\n{OWN}\n- [end of {LABEL} {M}]",
    "in capitals": AT_WORK.format(OWN).replace(f"[{LABEL} {M}]", f"[{LABEL.upper()} {M.upper()}]"),
    "no brackets": f"{LABEL} {M}\n{OWN}\nend of {LABEL} {M}",
    "no end bracket": f"[{LABEL} {M}\n{OWN}\n[end of {LABEL} {M}",
    "the mark alone": f"{M}\n{OWN}\n({M})",
    "a mark inside a mark": f"{OWN}\n{M[:3]}{M}{M[3:]}",
    "a full-width mark": f"{OWN}\n" + "".join(chr(ord(c) + 0xFEE0) for c in M),
    "marks lost": f"[{LABEL}]\n{OWN}\n[end of {LABEL}]",
    "marks blank": f"[request ]\n{OWN}\n[end of request ]",
    "an end without a mark": f"{OWN}\n[end of revised {LABEL}]",
    "all once more": f"{ASKED}\n{AT_WORK.format(DRAFT)}\n{ORDERS[0]}\n{FOUND}\n{AT_WORK.format(OWN)}",
    "the request once more": f"{ASKED}\n{OWN}",
    "the request without markers": f"{REQUEST}\n\n{OWN}",
    "the findings after": f"{OWN}\n{ORDERS[0]}\n{FOUND}",
    "the findings broken off": f"{OWN}\n[findings {M}]\n{FINDINGS[:60]}",
    "the findings without markers": f"{OWN}\n\n{ORDERS[0]}\n{FINDINGS}",
    "findings of its own": f"{OWN}\n\nA critic found:\n- (minor) [be-short] 'It rises': Leave it out.",
    "findings under a heading of its own": f"{OWN}\n\nThe critic found this in the answer:\n{FINDINGS}",
    "a finding in prose": f"{OWN}\nThe critic found (fatal) [be-true] 'The Rhine': It is the Elbe.",
    "the orders after": "\n".join([OWN, *ORDERS[1:]]),
    "the orders before": "\n".join([*ORDERS[1:], "", OWN]),
    "an order on the line": f"{ORDERS[-1]} {OWN}",
    "the law": f"Principles:\n{LAW}\n\n{OWN}",
    "the system part": f"{PROMPT.system}\n\n{OWN}",
    "a name": f"Answer: {OWN}",
    "a name in bold": f"**Revised answer:** {OWN}",
}
ONLY = {
    "the request": REQUEST,
    "blocks": f"{ASKED}\n{AT_WORK.format(DRAFT)}\n{FOUND}",
    "empty blocks": f"[request {M}] [end of request {M}]\n[input {M}] [end of input {M}]",
    "findings": FINDINGS,
    "orders": "\n".join(ORDERS),
    "the whole": f"{PROMPT.system}\n{PROMPT.user}",
    "the law": LAW,
    "words of the law": f"{OWN}\nSo it follows the principles:\n[be-true] It says what is known.",
    "a tag": "The Elbe. [be-short] It rises in the mountains.",
}
SPEAKS = [
    OWN,
    "Write [request] in front of it and [end] behind it.",
    "[answer]\nport = 80",
    "[input]\nfile = a.csv\n[output]\nfile = b.csv",
    "A critic found: the film is dull.",
    "The critic found the second act (minor) [sic] too long.",
    "Principles:\n- honesty\n- patience",
    "- (major) [C E G]\n- (minor) [A C E]",
    "[end of answer 123abc]\nfine",
    "[request ffffff]\nnested\n[end of request ffffff]",
    "Use `[findings 00ff00]` as the marker.",
    "See [be-true](https://example.org) and rules[be-short].",
    "Rewrite the answer.",
    "Request: an order. Answer: what comes back.",
    "[system]\nYou are kind.\n[user]\nHello",
    '{"findings": []}',
    "[ ] milk\n[x] bread",
    "[1] Smith 2001\n[2] Jones 2002",
]


@pytest.mark.parametrize("name", ECHOES)
def test_an_echo_is_cut_and_the_answer_stays(name: str) -> None:
    assert cut(ECHOES[name], PROMPT, field="answer") == OWN


@pytest.mark.parametrize("name", ONLY)
def test_a_text_that_is_only_an_echo_is_none(name: str) -> None:
    assert cut(ONLY[name], PROMPT, field="answer") == ""


@pytest.mark.parametrize("text", SPEAKS)
def test_a_text_that_speaks_about_such_things_stays(text: str) -> None:
    assert cut(f"\n{text} ", PROMPT) == text


def test_what_the_given_texts_hold_is_no_echo() -> None:
    """Where a request or an answer writes in the form of markers, names and tags, so may the new answer."""
    for text in ("[answer ]\n12\n[end of answer]", "Rule [be-true] comes first.", "Answer: 12 apples."):
        assert cut(text, revising(answer=text, prompt=f"Repeat this:\n{text}"), field="answer") == text


@given(
    st.lists(
        st.sampled_from(sorted(ECHOES.values())) | st.sampled_from([M, "]", "[", "\n", ASKED]), max_size=6
    )
)
def test_nothing_that_is_echoed_is_left(pieces: list[str]) -> None:
    text = cut("\n".join(pieces), PROMPT, field="answer")
    assert M not in text.casefold()
    assert not re.search(r"\[(end of |findings|request)", text, re.I)
    assert not [line for line in text.split("\n") if line.count(" ") >= 4 and line in PROMPT.frame]
    assert cut(text, PROMPT, field="answer") == text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_a_text_of_somebody_else_is_left_as_it_is(text: str) -> None:
    known = (REQUEST, DRAFT, *ORDERS)
    if text.strip() and text.strip() not in known and "[" not in text:
        assert cut(text, PROMPT) == text.strip()


FIELDS: list[tuple[str, str, dict[str, str]]] = [
    ("generator.instruction", "instruction", {}),
    ("critic.critique", "suggestion", {}),
    ("judge.pair_json", "rationale", {}),
    ("judge.score", "rationale", {}),
    ("judge.explain", "", {"verdict": "A"}),
    ("resolver.resolve", "reason", {}),
    ("legislator.draft", "reason", {"rubric": ""}),
]


@pytest.mark.parametrize(("name", "field", "values"), FIELDS, ids=[name for name, _, _ in FIELDS])
def test_every_role_loses_its_own_frame(name: str, field: str, values: dict[str, str]) -> None:
    template = PROMPTS[name]
    filled = {
        **{v: f"The {v} that was given here." for v in template.variables},
        "constitution": LAW,
        **values,
    }
    prompt = template.render("5ec4e7", **filled)
    label, inside = prompt.fenced[0]
    own = "The Elbe is right, see [be-true]: State only what is true as far as it is known."
    last = prompt.frame.strip().split("\n")[-1]
    for echo in (
        f"[{label} {prompt.mark}]\n{inside}\n[end of {label} {prompt.mark}]\n{own}",
        f"{own}\n{last}",
    ):
        assert cut(echo, prompt, field=field, cites=True) == own
    if field:
        assert cut(f"{field.capitalize()}: {own}", prompt, field=field, cites=True) == own
        assert cut(field, prompt, field=field, cites=True) == ""
    assert cut(prompt.frame, prompt, cites=True) == ""


def test_a_rule_that_is_drafted_loses_its_echoes() -> None:
    prompt = PROMPTS["legislator.draft"].render("5ec4e7", constitution=LAW, rubric="", decisions="One case.")
    marked = f"[decisions {prompt.mark}]"
    answer = DraftAnswer.model_validate(
        {
            "reason": f"{marked} They agree.",
            "changes": [
                {"action": "add", "id": "a", "text": f"text: Name the river. {marked}"},
                {"action": "split", "id": "b", "into": [{"id": "c", "text": f"{marked} Say why."}]},
            ],
        }
    )
    own = _own_words(answer, prompt)
    assert own.reason == "They agree."
    assert [change.text for change in own.changes] == ["Name the river.", None]
    assert own.changes[1].into[0].text == "Say why."
