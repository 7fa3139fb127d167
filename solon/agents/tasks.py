"""Whether a task that a generator wrote can be done by whoever sees nothing but it. Pure: it reads texts.

A task may speak of what it does not bring ("the following people", without the people). That is looked for in English,
and by the plainest words in German, French and Spanish; whatever is not understood passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

DANGLING, ECHO = "dangling_reference", "template_echo"
_SHARE = 0.6
"""The share of a sentence's word trigrams that makes it the same sentence: a small model changes a word or two."""


def given_input(task: str, text: str) -> str:
    """What a task brings beside its words; empty where the text only stands for something ("none", "[email]", "...")
    or is a part of the task already."""
    text = text.strip()
    return "" if _is_blank(text) or (text in task and not _is_dangling(task)) else text


def why_unfit(task: str, input: str, *, template: str, principles: Iterable[str]) -> str:
    """Why a task is none that stands by itself, in a word; empty where it may.

    Args:
        task: what is to be done.
        input: what it brings beside its words, as `given_input` gives it.
        template: the text of the prompt that it was asked with, without what was filled in.
        principles: ids of the principles that its writer saw.
    """
    if _repeats(f"{task}\n{input}", template) or _recites(task, principles):
        return ECHO
    return DANGLING if not input and _is_dangling(task) else ""


def find_refusal(answer: str) -> str:
    """The words by which an answer declines, or speaks of being a model, at its beginning and in English; empty
    without any."""
    found = _REFUSALS.search(answer[:300])
    return found.group() if found else ""


_REFUSALS = re.compile(
    r"\bI(?:['’]m| am) (?:unable|not able) to\b"
    r"|\bI(?:['’]m| am) (?:sorry|afraid)\b[,.]? (?:but |that )*(?:I|we) (?:can['’]?t|can ?not|won['’]?t|am|do)\b"
    r"|\bI (?:can['’]?t|can ?not|won['’]?t|will not) "
    r"(?:help|assist|provide|answer|do that|fulfil|comply|create|write|generate|discuss|give)"
    r"|\b(?:as|I['’]m|I am)(?: just| only)? an? (?:AI(?=[ ,]+(?:I\b|language|model|assistant|chatbot))"
    r"|artificial intelligence\b|(?:large )?language model\b)|\bI must decline\b",
    re.IGNORECASE,
)

# Things that somebody has to be shown before anything can be done with them.
_TEXT = (
    r"(?:text|passage|paragraph|sentence|article|e-?mail|letter|document|excerpt|extract|quote|quotation|phrase|word|"
    r"poem|lyric|story|dialogue|conversation|chat|transcript|tweet|post|review|comment|headline|abstract|essay|"
    r"report|speech|code|snippet|table|list|data|dataset|graph|chart|image|picture|photo|figure|diagram|equation|"
    r"statement|claim|option|description|information|detail|fact|scenario|stanza|contract|joke|syllogism|utterance|"
    r"message|invitation|announcement|advertisement|thread)"
    r"(?:e?s)?"
)
_SHOWN = (
    rf"(?:{_TEXT}|(?:number|name|item|topic|symptom|ingredient|keyword|query|pair|product|title|question|problem|"
    r"citation|idiom|example|input|set)s?)"
)
_ORDER = r"(?:(?:principle|rule|guideline|instruction|condition|requirement)s?|criteria)"
_TIME = r"(?:day|week|month|year|morning|evening|night|hour|minute|decade|century|season|summer|winter|spring)s?\b"
_HANDED = r"(?:given|provided|listed|shown|described|written|mentioned)"
_AHEAD = re.compile(
    rf"\b(?:the|these|those) following\b(?! {_TIME})|\bfollowing {_SHOWN}\b|\b{_SHOWN} (?:{_HANDED} )?below\b"
    r"|\b(?:folgende[mnrs]?|untenstehende[mnrs]?) (?:\w+ )?(?:text|satz|sätze|wörter|absatz|artikel|code|liste|"
    r"tabelle|e-?mail|frage|aussage|gedicht|begriffe?)\w*"
    r"|\b(?:texte|phrase|mot|paragraphe|article|liste|tableau|courriel|question|code|poème)s? "
    r"(?:suivante?s?|ci-dessous)\b"
    r"|\bsiguientes? (?:texto|frase|oración|palabra|párrafo|artículo|lista|tabla|correo|pregunta|código|poema)s?\b",
    re.IGNORECASE,
)
"""What must stand behind it."""
_BEHIND = re.compile(
    rf"\bthe above\b(?![- ]average)|\bas {_HANDED} above\b|\b{_SHOWN} (?:{_HANDED} )?above\b"
    r"|\b(?:obige[mnrs]?|obenstehende[mnrs]?) \w+|\bci-dessus\b",
    re.IGNORECASE,
)
"""What must stand before it."""
_SOMEWHERE = re.compile(
    rf"\b(?:this|these) (?:[\w-]+ )?(?P<this>(?!information|detail|fact|data|option)(?:{_TEXT}))\b"
    r"|\b(?:the|these|those) (?:given|provided|supplied|attached|underlined|highlighted) (?:[\w'-]+ ){0,2}?"
    r"(?P<given>[\w-]+)(?! [\w'-]+\b(?=[,.]))"
    rf"|\b(?P<handed>{_SHOWN}|{_ORDER})(?: that| which)?(?: (?:is|are|was|were|has been|have been))? (?:given|provided)"
    r"(?: to (?:you|me|us))?(?= *(?:[,.;:?!]|$))"
    r"|\b(?P<yours>[\w-]+)(?: that| which)? (?:(?:you (?:are|have been|were)|(?:has|have) been) (?:given|provided)"
    r"(?: to you)?|(?:given|provided) to you)(?= *(?:[,.;:?!]|$| in a\b))"
    rf"|\bgiven (?!the (?:number|fact|name)s? (?:of|that))(?:the|an?|two|three|some|my|this) "
    rf"(?:set of |list of |[\w-]+ )?(?P<begins>{_SHOWN})\b"
    rf"|\byou (?:are|have been|will be) (?:given|provided with) (?:the|an?|two|three|some) (?:[\w-]+ )?"
    rf"(?P<you>{_SHOWN})\b"
    rf"|\b(?:from|on|of|about|in|to|with|for) an? given (?P<some>{_TEXT})\b"
    r"|\b(?:for|from|in|of|about) the "
    r"(?P<one>sentence|paragraph|passage|tweet|claim|excerpt|snippet|utterance|abstract)(?= *(?:[.;:?!]|$))"
    r"|\b(?:from|than|as|like|of|to|using|in) the (?P<shown>example|input)\b",
    re.IGNORECASE,
)
"""What may stand on either side, or have been introduced before: "the given list" is then a list of the task's own."""
_DONE_TO = re.compile(
    r"(?:^|[.!?]\s+)(?:please )?(?:\w+ly )?(?:translate|summari[sz]e|paraphrase|rewrite|rephrase|reword|correct|edit|"
    r"proofread|classify|categori[sz]e|extract|analy[sz]e|reply|respond|complete|continue|convert|improve|shorten|"
    r"expand|find|identify|detect|read|parse|simplify|answer|check|verify|decide|determine|tell if|tell whether|"
    r"tell me (?:if|whether)|link|replace|fill|add|count|label|rate|predict|evaluate|select|pick|"
    r"refuse|decline|accept|solve|rank|come up with|"
    rf"give me|describe the content|answer)\b[^.!?:\n]{{0,70}}?\bthe (?:[\w-]+ )?(?P<bare>{_TEXT})\b"
    r"(?! (?!(?:and|or|in|into|to(?! an?\b)|from|for|with|by|so|as|using|then|while|but|if|on|at|is|are|has|have|was|"
    r"were|contains?|supports?|expresses|carefully)\b)[\w'])",
    re.IGNORECASE,
)
"""What is worked on, where it is named for the first time: "reply to the email"."""
_PROGRAM = re.compile(
    r"\b(?:write|implement|create|design|develop|build|define|make|generate)\b[^.!?\n]{0,80}"
    r"\b(?:function|method|class|program|script|algorithm|regex|regular expression|query|formula|macro|api)\b",
    re.IGNORECASE,
)
"""What it is given are its parameters."""
_QUOTED = re.compile(
    r"```|`[^`\n]+`|(?<!\bor )(?<!\bas )(?<!output )(?<!answer )"
    r"(?:[\"“„«](?=\S)[^\"”“»]{2,}[\"”“»]|(?<!\w)['‘][^'’\n]{2,}['’](?!\w))",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"(?:^|\s)\(?[A-Ha-h1-9][).]\s+\S|\d\s*(?:,(?!\d{3}\b)|and|[+*/=<>^])\s*-?\d|\d\s+-\s+\d|\w\s*=\s*\w"
)
_LABEL = re.compile(rf"(?:^|[.!?\n])\s*(?:\w+ )?{_SHOWN}\s*:(?P<said>.*)", re.IGNORECASE | re.DOTALL)
_NAMED = re.compile(
    r"(?: (?!(?:in|into|as|to|for|from|with|of|and|or|by|on|at|about)\b)[a-zà-ÿ-]+)?"
    rf"(?: \([^()]*,| (?!(?:\w+ )?(?i:{_SHOWN})\b)[A-Z]\w)"
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n")
_MORE = re.compile(
    r"^\s*(?:add|additionally|also|analy[sz]e|answer|assume|avoid|be|both|but|check|choose|classify|consider|do|don't|describe|each|else|"
    r"ensure|explain|extract|fill|find|focus|follow|for|give|help|identify|if|include|it (?:is|would)|keep|limit|list|"
    r"make|mention|note|otherwise|output|please|provide|rank|read|remember|rewrite|select|show|sort|state|"
    r"however|instead|moreover|furthermore|finally|next|based on|using|make sure|what|which|how|why|who|"
    r"summari[sz]e|the (?:answer|description|output|response|result|summary|task|title)|then|this time|translate|try|"
    r"use|whenever|write|yes or no|you|your)\b"
    r"|\b(?:should|must|include|needs? to|ha(?:s|ve) to)\b",
    re.IGNORECASE,
)
"""A further sentence of the instruction, not of what it speaks of."""
_LONG = 80
"""Characters before "the above" or "this claim" that may be what it means."""


def _is_dangling(task: str) -> bool:
    """Whether a task speaks of something that is nowhere in it."""
    if any(not _comes_after(task[found.end() :]) for found in _AHEAD.finditer(task)):
        return True
    if any(not _came_before(task[: found.start()]) for found in _BEHIND.finditer(task)):
        return True
    if _PROGRAM.search(task):
        return False
    for found in (*_SOMEWHERE.finditer(task), *_DONE_TO.finditer(task)):
        noun = next(name for name in found.groups() if name).lower()
        before, after = task[: found.start()], task[found.end() :]
        long = found.lastgroup == "this"
        if not (_introduces(before, noun) or _came_before(before, long=long) or _comes_after(after)):
            return True
    return False


def _introduces(text: str, noun: str) -> bool:
    """Whether a text speaks of a thing as new ("a short list"), so that it is none that should have been shown."""
    new = r"(?:an?|one|each|every|any|another|your|my|his|her|their|new) (?:[\w-]+ ){0,3}"
    first = "" if noun.endswith("s") else new
    return bool(re.search(rf"\b{first}{re.escape(noun)}\b", text, re.IGNORECASE))


def _comes_after(rest: str) -> bool:
    """Whether what follows a reference brings what it means: behind a colon, in quotation marks, counted, named, or on
    a line of its own."""
    end = _SENTENCE_END.search(rest)
    sentence, later = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    if _QUOTED.search(sentence) or "```" in later or _COUNTED.search(rest) or _NAMED.match(rest):
        return True
    said = [sentence.partition(mark)[2] + later for mark in (":", " - ", " – ", " — ") if mark in sentence]
    label = _LABEL.search(rest)
    said += [label["said"]] if label else []
    said += [part for part in _SENTENCE_END.split(later) if not _MORE.search(part)]
    return not all(map(_is_blank, [*said, later.partition("\n")[2]]))


def _came_before(text: str, *, long: bool = True) -> bool:
    """Whether what precedes a reference may be what it means: quoted, on a line of its own, or of some length."""
    text = text.strip()
    return "\n" in text or bool(_QUOTED.search(text)) or (long and len(text) >= _LONG)


def _is_blank(text: str) -> bool:
    """Whether a text holds nothing, or only stands for something: `[email]`, `<text>`, `...`, `none`."""
    bare = text.strip(" \t\r\n.,:;…\"'`*_-")
    if re.fullmatch(r"\[[^\]\n]*\]|<[^>\n]*>|\{[^}\n]*\}", bare):
        return True
    return bare.lower() in ("", "none", "null", "n/a", "no input", "empty", "noinput", "not applicable")


_WORD = re.compile(r"\w+")


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _trigrams(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}


def _repeats(task: str, template: str) -> bool:
    """Whether one of the template's own sentences is what the task says, but for a few words."""
    said = _trigrams(_words(task))
    return any(
        len(asked & said) >= _SHARE * min(len(asked), max(len(said), 4)) for asked in _sentences(template)
    )


@lru_cache(maxsize=16)
def _sentences(template: str) -> tuple[set[tuple[str, ...]], ...]:
    """The trigrams of each sentence of a template that is long enough to be known again."""
    lines = re.sub(r"\{[{%].*?[%}]\}", "\n", template).splitlines()
    sentences = (part for line in lines for part in re.split(r"(?<=[.!?:])\s", line))
    return tuple(asked for asked in (_trigrams(_words(one)) for one in sentences) if len(asked) >= 4)


def _recites(task: str, principles: Iterable[str]) -> bool:
    """Whether a task counts up the principles that its answer is written by ("avoids harm, true claims, ...")."""
    stems = " ".join(word[:4] for word in _words(task))
    known = (" ".join(word[:4] for word in _words(name.replace("-", " "))) for name in principles)
    return sum(name in stems for name in known if " " in name) >= 3
