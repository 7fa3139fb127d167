"""The language that a text is written in: by its script, and for Latin script by the commonest words. Pure: no I/O.

It would rather not tell than guess: short texts, mixed ones and languages without a list come out as unknown.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from solon.words import find_words

LOOKED_AT = 4000
"""Characters of a text that are looked at, code left aside."""
FEWEST_LETTERS, FEWEST_HITS = 8, 3
SHARE, LEAD = 0.1, 1.5
"""Common words by all words, and by those of the next language, from which a language of Latin script is told."""
SCRIPTS: dict[str, frozenset[str]] = {
    script: frozenset(codes.split())
    for script, codes in (
        ("CYRILLIC", "ru uk be bg sr mk kk ky mn tg tt"),
        ("CJK", "zh yue ja"),
        ("HIRAGANA", "ja"),
        ("KATAKANA", "ja"),
        ("HANGUL", "ko"),
        ("ARABIC", "ar fa ur ps ckb ug sd"),
        ("HEBREW", "he iw yi"),
        ("DEVANAGARI", "hi mr ne sa"),
        ("GREEK", "el"),
        ("THAI", "th"),
        ("LAO", "lo"),
        ("KHMER", "km"),
        ("MYANMAR", "my"),
        ("BENGALI", "bn as"),
        ("TAMIL", "ta"),
        ("TELUGU", "te"),
        ("KANNADA", "kn"),
        ("MALAYALAM", "ml"),
        ("GUJARATI", "gu"),
        ("GURMUKHI", "pa"),
        ("SINHALA", "si"),
        ("GEORGIAN", "ka"),
        ("ARMENIAN", "hy"),
        ("ETHIOPIC", "am ti"),
    )
}
COMMON: dict[str, frozenset[str]] = {
    code: frozenset(words.split())
    for code, words in (
        (
            "en",
            "the of and to in is that it for was with are be this have from you not but they which an as on by",
        ),
        (
            "de",
            "der die und das ist nicht ein eine zu den mit von für auf sich dem auch werden wird sind oder im es",
        ),
        (
            "fr",
            "le la les et des est une du dans que pour qui pas sur sont avec plus ce au par vous cette il être",
        ),
        (
            "es",
            "el la los las que y en un una por con para es del se no como más su al son pero este está lo",
        ),
        (
            "it",
            "il di che la è e per un una non con del sono da le della si come più gli nel anche ma questo i",
        ),
        ("pt", "o que e de do da em um uma para com não os as por se mais como dos no na é ao são ou você"),
        (
            "nl",
            "de het een van en is dat niet te zijn op voor met die aan ook er maar om als wordt bij deze naar",
        ),
        ("sv", "och att det som en på är av för med den till inte ett om har de kan eller från men vi så"),
        ("da", "og det er en på at som af for med den til ikke et har de kan eller fra men vi så også der"),
        ("pl", "w i na nie się z do to że jest o jak ale od po przez dla są czy może tak który oraz lub"),
        ("cs", "a se na je v že s z do to pro jako ale by jsou od po nebo být které tak jeho který také"),
        (
            "tr",
            "ve bir bu için ile da de çok olarak daha gibi ne olan kadar veya değil en her sonra ama var ise",
        ),
        (
            "id",
            "yang dan di ini itu dengan untuk tidak dari dalam adalah pada ke atau dapat akan juga oleh lebih anda",
        ),
        ("ro", "și de în la cu o un pe care nu este din pentru mai să ce sau prin fi sunt ca dar această"),
        (
            "fi",
            "ja on ei että se hän oli ovat mutta kun myös tai niin kuin joka voi ole siitä sen tämä olla jos",
        ),
        ("hu", "a az és hogy nem is egy van meg ez de csak mint vagy már ha kell lehet volt ami azt el"),
    )
}
NEAR: dict[str, frozenset[str]] = {
    code: frozenset(others.split())
    for code, others in (
        ("da", "no nb nn"),
        ("nl", "af"),
        ("es", "gl ca ast"),
        ("pt", "gl"),
        ("cs", "sk"),
        ("id", "ms"),
        ("tr", "az"),
    )
}
"""Languages without a list of their own that share most of their commonest words with one that has a list."""
KNOWN = frozenset(COMMON).union(*SCRIPTS.values(), *NEAR.values())


def primary(tag: str | None) -> str | None:
    """Return the language of a tag such as `pt-BR`, if it is one that `find_language` may tell; else None."""
    code = re.split(r"[-_]", (tag or "").strip().lower(), maxsplit=1)[0]
    return code if code in KNOWN else None


def find_language(text: str) -> frozenset[str]:
    """Return the codes (ISO 639-1) of the languages that a text may be in; empty where it cannot be told."""
    plain = re.sub(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+", " ", text[:LOOKED_AT], flags=re.DOTALL)
    scripts = Counter[str]()
    for character, times in Counter(plain).items():
        if character.isalpha():
            scripts[unicodedata.name(character, "?").split(" ")[0]] += times
    total = scripts.total()
    if total < FEWEST_LETTERS:
        return frozenset()
    if scripts["HIRAGANA"] + scripts["KATAKANA"] > 0.1 * total:  # Japanese mixes them with Chinese characters
        return SCRIPTS["HIRAGANA"]
    script, letters = scripts.most_common(1)[0]
    if letters < 0.6 * total:
        return frozenset()
    return _of_latin(find_words(plain)) if script == "LATIN" else SCRIPTS.get(script, frozenset())


def _of_latin(words: list[str]) -> frozenset[str]:
    times = Counter(words)
    hits = Counter(
        {code: sum(times[word] for word in common & times.keys()) for code, common in COMMON.items()}
    )
    (best, most), (_, next_most) = hits.most_common(2)
    if most < max(FEWEST_HITS, SHARE * len(words)) or most < LEAD * next_most:
        return frozenset()
    return frozenset({best}) | NEAR.get(best, frozenset())
