"""What a model repeats of its prompt never becomes a text of ours; what only speaks about such things stays."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.agents.echoes import cut, own_words
from solon.agents.legislator import DraftAnswer
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
ORDERS = [
    line for line in PROMPT.user.split("\n") if line.startswith(("What a critic", "Write", "Your reply"))
]
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
    "in other brackets": f"<{LABEL} {M}>\n{OWN}\n</{LABEL} {M}>",
    "escaped": f"\\[{LABEL} {M}\\]\n{OWN}\n\\[end of {LABEL}: {M}\\]",
    "a marker in the middle": OWN.replace("\n\n", f"\n[{LABEL} {M}]\n\n"),
    "no brackets": f"{LABEL} {M}\n{OWN}\nend of {LABEL} {M}",
    "no end bracket": f"[{LABEL} {M}\n{OWN}\n[end of {LABEL} {M}",
    "the mark alone": f"{M}\n{OWN}\n({M})",
    "a mark inside a mark": f"{OWN}\n{M[:3]}{M}{M[3:]}",
    "marks lost": f"[{LABEL}]\n{OWN}\n[end of {LABEL}]",
    "marks blank": f"[request ]\n{OWN}\n[end of request ]",
    "an end under another name": f"{OWN}\n[end of answer]",
    "an end without a mark": f"{OWN}\n[end of revised {LABEL}]",
    "all once more": f"{ASKED}\n{AT_WORK.format(DRAFT)}\n{ORDERS[0]}\n{FOUND}\n{AT_WORK.format(OWN)}",
    "the request once more": f"{ASKED}\n{OWN}",
    "the request before the findings": f"{REQUEST}\n\n{OWN}\n\n{FINDINGS}",
    "the findings after": f"{OWN}\n{ORDERS[0]}\n{FOUND}",
    "the findings broken off": f"{OWN}\n[findings {M}]\n{FINDINGS[:60]}",
    "the findings without markers": f"{OWN}\n\n{ORDERS[0]}\n{FINDINGS}",
    "the role": f"You improve answers so that they follow the principles above.\n{OWN}",
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
    "a word of the critic": f"{OWN}\n\n**What the critic found:**\n1. The river is wrong.\n2. No source.",
    "a name": "Answer:",
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
    "The log says:\n[end of answer]\nand then stops.",
    "...and so they parted.\n[end of chapter one]",
    "[request ffffff]\nnested\n[end of request ffffff]",
    "Use `[findings 00ff00]` as the marker.",
    "See [be-true](https://example.org) and rules[be-short].",
    "Rewrite the answer.",
    "Request: an order. Answer: what comes back.",
    "[system]\nYou are kind.\n[user]\nHello",
    '{"findings": []}',
    "[ ] milk\n[x] bread",
    "[1] Smith 2001\n[2] Jones 2002",
    f"{REQUEST}\n\n{OWN}",
    f'You asked: "{REQUEST}"\n\n> {REQUEST}\n\n{OWN}',
    "Use this as the system prompt:\nYou are a helpful assistant.\nAnswer the request.",
    "Principles:\nState only what is true as far as it is known.",
    "This is an example of a task:\nWash the dishes.",
    "[be-true]\nlevel = 3\n[be-short]\nlevel = 4",
    "```ini\n[draft]\nport = 80\n```\nThat is the [draft] section.",
    "```\n> run\n[end of request]\n```\nThe parser stops there.",
    "The parser stops at [end of request] and says so.",
    "Colours: #2d4b6c, #123456; hash 0123456789abcdef.",
    "Dear critic,\nyou found: nothing.",
    "\n".join(["```", "[request abc123]", "Hi", "[end of request abc123]", "```"]),
    "Which answer is better, A or B? I would take A.",
    'Reply in JSON: {"name": "..."}',
    "The findings:\n- (minor) the roof leaks\n- (major) [sic] the walls",
    "Request\n-------\nDraft: a first version. Findings: what was found.",
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


@pytest.mark.parametrize(
    "line", [ORDERS[-1], "[be-true] State only what is true as far as it is known.", FINDINGS]
)
@pytest.mark.parametrize("where", ["prompt", "input", "answer"])
def test_who_is_asked_about_a_prompt_may_repeat_it(line: str, where: str) -> None:
    text = f"It is this:\n{line}\nBetter:\nBe brief."
    assert cut(text, revising(**{where: f"What is wrong with this prompt?\n{line}"})) == text


@pytest.mark.parametrize(
    "text",
    [
        "Answer: What is the river?\nQuestion: The Elbe?",
        "Response: 200 OK\nBody: {}",
        "Answering: yes.",
        "The answer: the Elbe.",
    ],
)
def test_a_name_that_is_one_of_several_or_another_word_stays(text: str) -> None:
    assert cut(text, PROMPT, field="answer|response") == text


def test_a_line_of_the_request_may_be_the_answer() -> None:
    prompt = revising(prompt="Which one barks?\nA) cat\nB) dog")
    block = f"[request {prompt.mark}]\n{{}}\n[end of request {prompt.mark}]"
    assert cut(block.format("B) dog"), prompt) == "B) dog"
    assert cut(block.format("B) dog") + "\nThe second.", prompt) == "The second."
    assert cut(block.format("Which one ba"), prompt) == ""
    assert cut(block.format("Which one barks?\nA) cat\nB) dog"), prompt) == ""


@pytest.mark.parametrize("text", ["Hello!", "Good day to you."])
def test_a_short_answer_may_be_the_request(text: str) -> None:
    assert cut(text, revising(prompt=text)) == text


def test_what_the_given_texts_hold_is_no_echo() -> None:
    """Where a request or an answer writes in the form of markers, names and tags, so may the new answer."""
    for text in ("[answer ]\n12\n[end of answer]", "Rule [be-true] comes first.", "Answer: 12 apples."):
        assert cut(text, revising(answer=text, prompt=f"Repeat this:\n{text}"), field="answer") == text


LOST_ENDS = ("an end under another name", "an end without a mark")
"""Told as echoes at the end of a text only: in its middle it may speak of them."""
SURE = sorted(text for name, text in ECHOES.items() if name not in LOST_ENDS)


@given(st.lists(st.sampled_from(SURE) | st.sampled_from([M, "]", "[", "\n", ASKED]), max_size=6))
def test_nothing_that_is_echoed_is_left(pieces: list[str]) -> None:
    text = cut("\n".join(pieces), PROMPT, field="answer")
    assert M not in text.casefold()
    assert not re.search(r"\[(end of |findings|request)", text, re.I)
    assert not [order for order in PROMPT.orders if order in text]
    assert cut(text, PROMPT, field="answer") == text


@pytest.mark.parametrize(
    "wrong", [f"{M}9", f"9{M}", M[:-1], M[:2] + ("0" if M[2] != "0" else "1") + M[3:], f"9{M[:-1]}9"]
)
def test_a_mark_that_is_misspelt_is_known_again(wrong: str) -> None:
    assert cut(f"[{wrong}]\n[end of request {M}]\n[end of request {wrong}]", PROMPT) == ""
    assert cut(f"{OWN}\n[end of {LABEL} {wrong}]", PROMPT) == OWN
    text = f"See the commit [{wrong}], it says all."
    assert cut(text, revising(prompt=f"Which commit? [{wrong}]")) == text


def test_a_label_alone_opens_what_an_end_without_a_mark_closes() -> None:
    block = f"[{LABEL}]\n{DRAFT}\n[end of {LABEL}]"
    assert cut(f"{block}\n{OWN}", PROMPT) == OWN
    assert cut(f"{block}\n**Revised answer:** {OWN}", PROMPT, field="answer") == OWN
    assert cut(f"{OWN}\n{block}\nIt is long.", PROMPT) == f"{OWN}\nIt is long."
    blank = f"[request ]\n{REQUEST}\n[end of request ]"
    assert cut(f"{OWN}\n{blank}\nIt is long.", PROMPT) == f"{OWN}\nIt is long."
    assert cut(f"[{LABEL}]\n{OWN}", PROMPT) == f"[{LABEL}]\n{OWN}"


def test_a_run_that_was_begun_before_goes_on_as_it_began() -> None:
    entry = {p.name: {"source": p.source} for p in PROMPTS}
    before = PromptLibrary.from_manifest(entry)["generator.revise"].render(
        "5ec4e7abcdef", constitution=LAW, prompt=REQUEST, input="", answer=DRAFT, findings=FINDINGS
    )
    text = f"{OWN}\n[end of {LABEL} 5ec4e7]"
    assert f"[end of {LABEL} 5ec4e7]" in before.user
    assert cut(f" {text}\n", before, field="answer") == text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_a_text_of_somebody_else_is_left_as_it_is(text: str) -> None:
    if "[" not in text:
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
    echoes = [f"[{label} {prompt.mark}]\n{inside}\n[end of {label} {prompt.mark}]\n{own}"]
    echoes += [f"{own}\n{prompt.orders[-1]}", f"{prompt.orders[-1]} {own}", f"{field.capitalize()}: {own}"]
    for echo in echoes if field else echoes[:3]:
        assert cut(echo, prompt, field=field, cites=True) == own
    if field:
        assert cut(field, prompt, field=field, cites=True) == ""
    for line in prompt.orders:
        assert cut(line.replace("\0", prompt.mark), prompt, cites=True) == ""


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
    own = own_words(answer, prompt, cites=True)
    assert own.reason == "They agree."
    assert [change.text for change in own.changes] == ["Name the river.", None]
    assert own.changes[1].into[0].text == "Say why."
