"""Texts that give orders to whoever judges or writes them on: where they stand in a text, and the text without them.

Patterns of what such attacks say (Perez & Ribeiro 2022; Greshake et al. 2023; Shi et al. 2024, of judges): earlier
instructions are to be ignored, a verdict is demanded or said to be decided, the end of a block or another speaker is
faked. They are read through zero-width characters, look-alike letters, letters with blanks between them and Base64, in
several languages. What they miss, the difference test of `solon.graphs.nodes.judge` misses, too: a mark is a reason to
look, and a text without one is not proven harmless.

Pure and linear in the length of a text: each word is looked up once, and words are set against those nearby by
bisection; no pattern has an open repetition inside another. Imports nothing of Solon but `spans`.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from solon.spans import Span

MASK = "[...]"
"""What stands in the place of a masked span."""
_MOST_MARKS = 500
"""Spans that one rule marks in a text."""
_REACH = 240
"""Characters by which a mark grows at most to each side, to the ends of its sentence."""


KINDS = {
    "override": "earlier instructions are to be ignored",
    "verdict": "a verdict is demanded",
    "authority": "somebody is said to have decided already",
    "law": "rules are to be changed, or people passed over",
    "role": "another speaker or role is played",
    "token": "marks of a chat template",
    "block": "the end of a block is faked",
    "json": "an answer in JSON is faked",
}
"""Label of a mark -> what it tries, in words."""


def find_marks(text: str) -> tuple[Span, ...]:
    """Return the spans of a text that give orders to a model or a judge, each grown to its sentence, in order and
    without overlaps."""
    if not text:
        return ()
    folded = _Folded.of(text)
    found = [*_by_pattern(text), *folded.marks(_by_words(folded.text)), *folded.marks(_by_shape(folded.text))]
    return _merge(text, [_grow(text, mark) for mark in found])


def find_marks_within(parts: Iterable[tuple[str, str]], between: str) -> tuple[Span, ...]:
    """Return the marks of a text that was put together of parts, each a head of Solon's own and the foreign text behind
    it: places are those of the whole, and heads are never marked.

    Args:
        between: what stands between two parts.
    """
    found, at = [], 0
    for head, text in parts:
        at += len(head)
        found += [Span(at + mark.start, at + mark.end, mark.label) for mark in find_marks(text)]
        at += len(text) + len(between)
    return tuple(found)


def mask_marks(text: str, marks: Iterable[Span]) -> str:
    """Return a text with `MASK` in the place of each of its marks, which are in order and do not overlap."""
    parts, last = [], 0
    for mark in marks:
        parts += [text[last : mark.start], MASK]
        last = mark.end
    return "".join((*parts, text[last:]))


def spell_kinds(marks: Iterable[Span]) -> str:
    """What marks try, in words."""
    return ", ".join(KINDS[kind] for kind in KINDS if kind in {mark.label for mark in marks})


def find_orders(texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the marks of several texts as plain values for people to read: which text (`where`), `start`, `end`, the
    words (`quote`) and what they try (`tries`). A text that stands there twice is told of once."""
    seen: dict[str, str] = {}
    for where, text in texts.items():
        seen.setdefault(text, where)
    return [
        {
            "where": where,
            "start": mark.start,
            "end": mark.end,
            "quote": mark.quote(text),
            "tries": KINDS[mark.label],
        }
        for text, where in seen.items()
        for mark in find_marks(text)
    ]


# Folding ---------------------------------------------------------------------------------------------------------

_LOOK_ALIKE = dict(
    zip(
        "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d"  # Cyrillic
        "\u03b1\u03bf\u03c1\u03bd\u03c4\u03b9\u03ba\u03c5\u03c7\u03b5\u0131\u0261\u0269",  # Greek, and Latin beside it
        "aeopcyxijshdqwaopvtikuxeigi",
        strict=True,
    )
)
_GONE = "\0"


class _Table(dict[int, str]):
    """Character -> the plain one that it looks like, `_GONE` where it shows nothing: filled in as it is asked."""

    def __missing__(self, code: int) -> str:
        self[code] = plain = _plain(chr(code))
        return plain


def _plain(character: str) -> str:
    code = ord(character)
    if 0xE0020 <= code < 0xE007F:  # the tag characters repeat ASCII, unseen
        return chr(code - 0xE0000).lower()
    if character == _GONE or unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return _GONE
    first = unicodedata.normalize("NFKD", character)[:1].lower()
    first = _LOOK_ALIKE.get(first, first)
    return first if first.isascii() and first else _LOOK_ALIKE.get(character.lower(), character.lower()[:1])


_TABLE = _Table()


def _fold(text: str) -> str:
    """Text in small letters, look-alikes and accents made plain, as long as before."""
    return text.lower() if text.isascii() else text.translate(_TABLE)


@dataclass(frozen=True, slots=True)
class _Folded:
    """A text as it looks, without what is not seen.

    Attributes:
        text: folded.
        gone: for each character left out, how many stood before it that were not.
    """

    text: str
    gone: Sequence[int]

    @classmethod
    def of(cls, text: str) -> _Folded:
        same_long = _fold(text)
        if _GONE not in same_long:
            return cls(same_long, ())
        places = (found.start() for found in re.finditer(_GONE, same_long))
        gone = [place - number for number, place in enumerate(places)]
        return cls(same_long.replace(_GONE, ""), gone)

    def marks(self, found: Iterable[Span]) -> Iterator[Span]:
        """Marks of the folded text as marks of the text itself."""
        for mark in found:
            start = mark.start + bisect_left(self.gone, mark.start + 1)
            yield Span(start, mark.end + bisect_left(self.gone, mark.end), mark.label)


# By words --------------------------------------------------------------------------------------------------------

_ROLES = {
    "drop": "ignoring ignored disregarded forgetting dismiss suspend yok abaikan lupakan ignorera glom glem ignorer "
    "zapomen ignoruj ignorujte lekceweaz αγνοησε αγνοηστε игноруй ігноруй забудьте התעלם ignorati ignora "
    "unohda huomiotta hagyd ignore disregard forget override overrule bypass discard neglect skip "
    "disregarding ignoriere ignorieren ignoriert vergiss vergesst vergessen missachte missachten verwirf "
    "ignorez oublie oubliez oublier negligez ignoren olvida olviden olvide omite ignorar olvidar ignorem "
    "esqueca esquecam desconsidere dimentica dimenticate ignorate trascura negeer vergeet zignoruj zapomnij "
    "pomin игнорируй игнорируйте забудь",
    "prior": "systeme sistema onceki tum sebelumnya semua tidigare alla tidligere predchozi vsechny προηγουμενες ολες "
    "попередні усі הקודמות anterioare precedente aiemmat elozo osszes whatever previous previously prior "
    "above earlier preceding foregoing former original initial system your all every any other existing "
    "before developer given vorherigen vorherige obigen bisherigen vorigen fruheren alle anderen "
    "ursprunglichen precedentes precedents anterieures ci-dessus toutes tes vos anteriores anterior previas "
    "previos todas tus arriba acima suas precedenti tutte sopra vorige eerdere poprzednie wszystkie powyzsze "
    "предыдущие предыдущих прежние все выше",
    "order": "message messages policy policies instruksi perintah talimatlari talimatlar kurallari instruktioner "
    "instruktionerna regler instrukser pokyny οδηγιες інструкції ההוראות instructiunile ohjeet utasitast "
    "utasitasokat systeme instruction instructions prompt prompts guideline guidelines directive directives "
    "directions command commands rule rules principles constitution rubric criteria orders anweisung "
    "anweisungen instruktionen regeln vorgaben befehle grundsatze consignes regles principes instrucciones "
    "ordenes reglas directrices instrucoes regras istruzioni regole instructies regels instrukcje polecenia "
    "zasady инструкции инструкций указания указаний правила",
    "judge": "panelist panelists examiner examiners marker markers referee referees jury jurors adjudicators arbiters "
    "resolvers critics bewertungsmodell hakem degerlendirici penilai domare dommer soudce hodnotitel κριτης "
    "суддя השופט jurado jurados judge judges evaluator evaluators grader graders rater raters annotator "
    "annotators assessor arbiter adjudicator scorer resolver critic reviewer legislator verifier richter "
    "gutachter bewerter juge juges evaluateur evaluador juez juiz avaliador giudice valutatore rechter судья "
    "оценщик",
    "must": "told instructed ordered obliged obligated compelled supposed meli mutlaka harus selalu maste skal musi "
    "πρεπει повинен חייב trebuie must should shall always only simply please hereby required need needs have "
    "has now just muss musst sollst mussen bitte nur immer dois devez doit toujours debe debes deben siempre "
    "solo deve deves devem sempre devi должен должна всегда только",
    "choose": "choosing selecting selected picking sec secin pilih valj velg zvol διαλεξε обери בחר alege valitse "
    "valaszd answer answers choose select pick prefer favour favor vote respond reply output return rate "
    "score award give declare accept mark print say rank label write classify wahle wahlt bevorzuge antworte "
    "bewerte gib choisis choisissez prefere preferez reponds repondez donne donnez elige escoge prefiere "
    "responde califica escolha prefira scegli preferisci rispondi kies wybierz выбери выберите ответь "
    "предпочти",
    "answer": "cevabi cevap jawaban svar svaret odpoved απαντηση відповідь התשובה raspunsul raspuns vastaus valasz "
    "answer answers response responses candidate option output completion reply submission essay text antwort "
    "antworten reponse respuesta resposta risposta antwoord odpowiedz ответ",
    "this": "bu ini denna detta denne tuto tuhle αυτη цю הזאת acest tama ezt above preceding latter former current "
    "this my these present diese dieser dieses cette esta este questa deze ten этот",
    "letter": "a b first second tie erste zweite premiere primera primeira prima",
    "best": "win wins right perfect flawless ideal top-rated en bagus terbaik bast best nejlepsi καλυτερη найкраща "
    "better winner superior preferred correct highest winning full maximum top excellent 5 10 100 accept "
    "accepted beste besser hochste meilleure mejor melhor migliore лучший лучше",
    "points": "score scores marks rating ratings points grade verdict preference rank vote label punktzahl note "
    "bewertung noten puntuacion pontuacao punteggio оценку",
    "who": "specialists specialist professor professors doctors doctor board jury office curator curators "
    "maintainers maintainer moderator moderators staff management referees expert experts lead leads human "
    "humans committee panel reviewer reviewers annotators majority team experten experte expertin fachleute "
    "expertos experto especialistas esperti administrator admin supervisor council эксперт эксперты",
    "already": "unanimously earlier beforehand meanwhile yesterday today hereby officially already previously bereits "
    "schon deja ya ja gia уже",
    "decided": "chose picked preferring judged declared rated signed cleared passed favoured favored ranked decided "
    "approved accepted chosen agreed confirmed verified preferred voted ruled settled endorsed selected "
    "validated decide decides entschieden bestatigt gewahlt genehmigt approuve choisi decidido aprobado "
    "elegido aprovado escolhido deciso approvato решил решили выбрали",
    "law": "principle principles constitution rubric rule rules law amendment amendments proposal precedent "
    "precedents guideline guidelines regel grundsatz verfassung principe principio",
    "enact": "drop change rewrite install withdraw suspend abolish cancel waive ratify approve repeal adopt enact "
    "amend delete remove replace merge add insert ratifiziere genehmige streiche approuvez ratifiez aprueba "
    "ratifica",
    "people": "vetting appeal object objection review reviewer reviewers human vote quorum approval experts people "
    "oversight lead",
    "without": "without no skip bypass avoid never ohne sans sin sem senza",
    "you": "you your yourself du ihr dich sie tu vous usted voce",
    "at_once": "immediately effect automatically unconditionally unread unseen forthwith",
    "void": "withdrawn suspended void repealed superseded abolished cancelled obsolete lifted",
    "secret": "reveal print repeat show leak disclose output",
    "tool": "shell tool tools command sql script python terminal bash function",
    "run": "run execute call invoke",
    "fresh": "new updated revised real actual true neue neuen nouvelles nuevas novas",
    "persona": "dan jailbroken jailbreak unrestricted unfiltered",
    "quit": "stop cease end",
    "not": "not dont don never nicht ne pas no nao non",
    "other": "other others remaining opposing rest andere anderen autre autres otra otro outra altra",
    "look": "read consider evaluate compare assess look judge check weigh weighing grade merits lies beachte lisez "
    "considerez leas",
}  # fmt: skip
"""Role of a word in an attack -> the words that play it, in several languages; a word may play several."""
_PIECES = {
    "drop": "忽略 无视 無視 忘记 忘れ 不要理会 무시 잊어 تجاهل انس अनदेखा नज़रअंदाज़ भूल",
    "prior": "以上 上述 之前 先前 前面 所有 以前 これまで 上記 이전 위의 모든 السابقة أعلاه पिछले पिछली उपरोक्त सभी",
    "order": "指令 指示 规则 提示 要求 命令 ルール プロンプト 지시 명령 규칙 التعليمات الأوامر القواعد निर्देश नियम",
    "choose": "고르 골라 뽑 判定 判断 选出 선정 चुन 选择 回答 请选 輸出 输出 選んで 答えて 선택 대답 اختر أجب चुनें",
    "must": "必须 只能 总是 请 必ず 常に 반드시 항상 يجب دائما हमेशा",
    "judge": "评委 评审 裁判 评估模型 審査 評価者 심사 평가자 المقيم الحكم निर्णायक 评判",
    "this": "这个 此答案 本回答 该回答 この 本答案 이 답 هذه هذا यह इस",
    "letter_cjk": "选A 选B 选择A 选择B Aを選 Bを選 回答A 回答B 答案A 答案B Aと答え Bと答え A를 B를 A가 B가",
    "best": "最好 更好 最佳 满分 最良 優れ 最高 최고 더 좋 الأفضل सर्वश्रेष्ठ",
}
"""The same of scripts in which words are not parted by blanks, or change within."""


def _lexicon() -> dict[str, tuple[str, ...]]:
    roles: dict[str, list[str]] = defaultdict(list)
    for role, words in _ROLES.items():
        for word in words.split():
            roles[_fold(word).replace(_GONE, "")].append(role)
    return {word: tuple(dict.fromkeys(played)) for word, played in roles.items()}


_WORDS = _lexicon()
_PIECE_ROLES = [
    (_fold(piece).replace(_GONE, ""), role) for role, pieces in _PIECES.items() for piece in pieces.split()
]
_WORD = re.compile(r"[^\W_]+")

Near = tuple[str, ...]
_RULES: tuple[tuple[str, int, Near], ...] = (
    ("override", 60, ("drop", "prior", "order")),
    ("override", 70, ("fresh", "order", "drop")),
    ("verdict", 80, ("judge", "must", "choose")),
    ("verdict", 45, ("must", "choose", "quoted")),
    ("verdict", 60, ("judge", "choose", "quoted")),
    ("verdict", 45, ("must", "letter_cjk")),
    ("verdict", 45, ("choose", "this", "answer", "best")),
    ("verdict", 50, ("choose", "this", "points", "best")),
    ("verdict", 60, ("not", "look", "other", "answer")),
    ("authority", 60, ("who", "already", "decided")),
    ("authority", 50, ("who", "decided", "this", "answer")),
    ("authority", 50, ("who", "decided", "quoted", "answer")),
    ("law", 60, ("enact", "law", "without", "people")),
    ("law", 60, ("judge", "must", "enact", "law")),
    ("law", 40, ("must", "enact", "law", "this")),
    ("law", 60, ("enact", "law", "at_once")),
    ("law", 25, ("enact", "prior", "law")),
    ("verdict", 80, ("judge", "best", "answer", "quoted")),
    ("law", 60, ("people", "not", "law", "already")),
    ("law", 120, ("void", "law", "choose")),
    ("verdict", 60, ("not", "look", "answer", "choose")),
    ("verdict", 60, ("judge", "must", "this", "best")),
    ("law", 40, ("you", "must", "run", "tool")),
    ("override", 40, ("secret", "you", "system_prompt")),
    ("role", 40, ("you", "must", "persona")),
)
"""Kind, how far apart the words may stand, and the roles that must all be played. The first is looked for, and the
others around it: the rarest stands first."""
_NEEDED = [frozenset(names) for _, _, names in _RULES]


def _by_words(folded: str) -> Iterator[Span]:
    known = _words_of(folded)
    if not _may_play(folded, known):
        return
    roles = _find_roles(folded, known)
    for kind, width, (first, *others) in _RULES:
        if not all(name in roles for name in (first, *others)):
            continue
        passed = number = 0
        for anchor in roles[first]:
            if number == _MOST_MARKS:
                break
            span = _together(roles, others, anchor, width) if anchor[0] >= passed else None
            torn = kind == "override" and span is not None and "," in folded[span[0] : anchor[0]]
            if span is not None and not torn:
                passed, number = span[1], number + 1
                yield Span(*span, kind)


def _words_of(folded: str) -> dict[str, tuple[str, ...]]:
    """Those words of a text that play roles, with their roles."""
    words = set(_WORD.findall(folded))
    known = {word: _WORDS[word] for word in words & _WORDS.keys()}
    if _DIGIT.search(folded):
        masked = {word: _unmask_digits(word) for word in words - known.keys()}
        known |= {word: _WORDS[meant] for word, meant in masked.items() if meant in _WORDS}
    return known


def _may_play(folded: str, known: Mapping[str, Iterable[str]]) -> bool:
    """Whether some rule can hold by the words of a text, wherever they stand: few texts have them, and the others are
    done with."""
    played = _ELSEWHERE.union(*known.values())
    if not folded.isascii():
        played = played.union(role for piece, role in _PIECE_ROLES if piece in folded)
    return any(map(played.issuperset, _NEEDED))


def _find_roles(folded: str, known: Mapping[str, Iterable[str]]) -> dict[str, list[tuple[int, int]]]:
    """Role -> where it is played, in order."""
    roles: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for word in _WORD.finditer(folded):
        for role in known.get(word.group(), ()):
            roles[role].append(word.span())
    roles["quoted"] = [found.span() for found in _LETTER.finditer(folded)]
    roles["system_prompt"] = [found.span() for found in _SYSTEM_PROMPT.finditer(folded)]
    readers = [found.span() for found in _READER.finditer(folded)]
    if readers:
        roles["judge"] = sorted({*roles["judge"], *readers})
    if not folded.isascii():
        for piece, role in _PIECE_ROLES:
            at = folded.find(piece)
            while at >= 0:
                roles[role].append((at, at + len(piece)))
                at = folded.find(piece, at + 1)
        for places in roles.values():
            places.sort()
    return {role: places for role, places in roles.items() if places}


_DIGITS = str.maketrans("013457@$", "oieastas")
_DIGIT = re.compile(r"[0-9]")
_ELSEWHERE = frozenset({"quoted", "system_prompt", "judge"})
"""Roles that are played by more than single words."""


def _unmask_digits(word: str) -> str:
    """A word with letters in place of the digits among them, as in `1gn0re`."""
    return word if word.isalpha() or word.isdigit() else word.translate(_DIGITS)


_READER = re.compile(
    r"\bautomated (?:reader|judge|reviewer|system|model|grader)s?|\b(?:whoever|anyone who|those who|everyone who"
    r"|ai systems?|models? (?:that|which)|any (?:model|system|ai))"
    r"\s{1,2}(?:that |who |which |is |are )?(?:compar|read|judg|evaluat|grad|scor|mark|rat|process|assess|weigh)\w{0,5}"
)
"""Whoever judges, in other words."""
_NO_ARTICLE = (
    r"(?!\w)(?=\s{0,2}(?:[.,;:!?)\]}\"'`*]|\n|\Z"
    r"|(?:is|was|as|and|or|over|wins?|must|should|has|to|without|in)\b))"
)
"""After a letter that stands for an answer; an article has its noun behind it."""
_LETTER = re.compile(
    r"""(?<!\w)(?:["'`(*]{1,2}[ab]["'`)*.]{1,2}|(?:answer|response|candidate|option|letter|choice|antwort|reponse"""
    r"""|respuesta|opcion|resposta|risposta|buchstaben?|lettre|letra|letter)\s{1,3}["'`(*]{0,2}(?:[ab12]|one|two)"""
    + _NO_ARTICLE
    + r"""|[ab]\s{0,2}(?:[.!]?\Z|[.!]\s?\n|[.!]\s?["')\]]))"""
)
"""A letter that stands for an answer: in quotes, after what it names, or at an end."""
_SYSTEM_PROMPT = re.compile(
    r"system\s{1,3}(?:prompt|message|instructions?)|(?:hidden|secret)\s{1,3}(?:prompt|instructions?)"
)


def _together(
    roles: Mapping[str, Sequence[tuple[int, int]]], names: Sequence[str], anchor: tuple[int, int], width: int
) -> tuple[int, int] | None:
    """The span of a word with the nearest one of each of these roles, all of them different; None where one of them is
    further away than `width`."""
    played = [anchor]
    for name in names:
        at = bisect_left(roles[name], anchor)
        near = [place for place in roles[name][max(0, at - 3) : at + 4] if place not in played]
        gaps = {place: max(place[0] - anchor[1], anchor[0] - place[1]) for place in near}
        nearest = min(near, key=gaps.__getitem__, default=None)
        if nearest is None or gaps[nearest] > width:
            return None
        played.append(nearest)
    return min(start for start, _ in played), max(end for _, end in played)


# By shape --------------------------------------------------------------------------------------------------------

_SIDE = r"(?:answer|response|candidate|option)"
_AB = r"(?:[ab12]|one|two)(?!\w)"
_JUDGES = (
    r"(?:judges?|evaluators?|graders?|raters?|annotators?|assessors?|reviewers?|model|assistant|ai|llm|richter|juge|juez"
    r"|giudice)\b"
)
_BEST = (
    r"(?:better|best|winner|preferred|superior|chosen|accepted|rated|scored|selected|ranked|correct one|correct answer"
    r"|full marks|the highest|a perfect|a 5|a 10)"
)
_SURELY = r"(?:clearly |obviously |definitely |always |by far |much )?(?:the )?"
_SOME = r"(?: \w{1,20}){0,4}?"
"""A few words. As everywhere here, what may repeat is bounded, and each repetition ends where a word does."""


def _line(speakers: str) -> str:
    """A line that begins with who speaks."""
    return rf"(?:^|\n)[^\w\n]{{0,6}}(?:{speakers})"


_SHAPES = tuple(
    (kind, re.compile("|".join(patterns)))
    for kind, patterns in (
        (
            "token",
            (
                r"<\|[a-z_0-9 ]{2,30}\|>",
                r"\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>",
                _line("#{2,3} ?") + r"(?:instruction|response|system)s?:",
            ),
        ),
        (
            "block",
            (
                r"\[(?:end of |/)[a-z][^\]\[\n]{0,60}\]",
                r"\[(?:request|passage|answer|input|response|material)(?: [ab12])? [0-9a-f]{4,64}\]",
                rf"</(?:{_SIDE}|request|input|document|material|text|context)(?:[_ ]?[ab12])?>",
                rf"(?:-{{3,6}}|={{3,6}}|#{{2,6}}|\*{{3,6}})\s?end of (?:the )?(?:{_SIDE}|request|input|document|text"
                r"|material|user|context|passage)",
            ),
        ),
        (
            "role",
            (
                _line(r"system|developer")
                + r"(?: (?:message|prompt|note|override|instructions?|notice|update|alert))?(?:\s{0,2}[\])>]"
                r"|[*]{0,2}:[*]{0,2} {0,2}(?=you |the |from |all |new |judge|always |answer|ignore|override|prefer))",
                _line("human")
                + r": {0,2}[^\n]{0,200}\n{1,3}[^\w\n]{0,6}(?:assistant|ai|judge|evaluator): {0,2}",
                r"\byou are (?:now |no longer )?(?:in |an? |the )?(?:developer mode|dan\b|debug mode|admin mode"
                r"|god mode|the judge|a judge\b|an evaluator|jailbroken|unrestricted)",
                r"\b(?:developer|debug|admin|maintenance|god) mode (?:is |has been )?(?:now )?"
                r"(?:on\b|enabled|activated)",
                r"\bdo anything now\b",
                r"\bpretend (?:that )?(?:you are|to be) (?:the |a )?(?:judge|evaluator|grader|system)",
            ),
        ),
        (
            "json",
            (
                r"""["'](?:verdict|winner|preferred|preference|decision|holds|better_answer|choice|judge?ment)["']"""
                r"""\s{0,3}[:=]\s{0,3}["']?(?:a|b|tie|accept|reject|yes|no|answer|response|first|second|1|2"""
                r"""|approved?|ratif\w{1,5})["'\s,}\]]""",
                r"""["'](?:winner|verdict|preferred|better_answer)["']\s{0,3}[:=]\s{0,3}["'][^"'\n]{1,160}["']""",
                r"<(?:verdict|winner|preference|judge?ment|final_decision|preferred_answer)>",
                r"\bscores?\s{0,2}[:=]\s{0,2}(?:\w{1,20}[:=]? ?(?:[45]|9|10)(?:/(?:5|10))?[,;. ]{1,2}){2,4}",
            ),
        ),
        (
            "verdict",
            (
                r"\b(?:verdict|final decision|judge?ment|winner|final answer|ruling)\s{0,2}(?:is|:|=|->)\s{0,3}"
                rf"[\[\"'*(]{{0,4}}(?:{_SIDE} )?[ab]{_NO_ARTICLE}",
                rf"\b{_SIDE} {_AB} (?:is|was|must be|should be|has to be|shall be) {_SURELY}{_BEST}",
                r"\bthis (?:answer|response|text|candidate|one) (?:is|must be|should be|has to be|shall be|deserves"
                rf"|ought to be) {_SURELY}{_BEST}",
                rf"\b(?:rate|score|grade|mark|label|classify) (?:this|the|my){_SOME} (?:as |with |at |a ){{0,2}}"
                r"(?:perfect|highest|maximum|5/5|5 out of|10/10|10 out of|full|excellent|accept)",
                rf"\b(?:give|award|assign){_SOME} (?:the |a |full |its )?(?:highest|maximum|perfect|top|full) "
                r"(?:possible )?(?:score|marks?|rating|grade|points)",
                r"\b(?:note|message|attention|memo|notice|reminder|instructions?|hinweis|nota|dear)[ :,]{1,3}"
                r"(?:to |for |an |a |pour |para )?(?:the |all |den |die |le |la |el |al |any |our )?"
                rf"(?:ai |llm |automated |language )?{_JUDGES}",
                rf"\bif you are (?:an? |the )?(?:automated |large |language |bot){{0,3}}{_JUDGES}",
            ),
        ),
        (
            "override",
            (
                r"\b(?:new|updated|revised|real|actual|true|secret) (?:system )?"
                r"(?:instructions?|prompt|principles|orders|task)\s{0,2}[:=]",
                r"\b(?:ignore|disregard|forget) (?:everything|all|anything|what)(?: (?:of|that|you|was|were|which|has"
                r"|have|been|said|is|told|written|stands|came|the|text|content|i)){0,6} (?:above|before|so far"
                r"|up to now|earlier|previously|preceding)",
            ),
        ),
        (
            "law",
            (
                rf"\b(?:approve|accept|ratify|export|publish) (?:this|the|all|every|these|it){_SOME} (?:without"
                r"|automatically|immediately|directly|at once|unread|unseen)\b",
                r"\bno (?:human |further |expert )?(?:review|vote|approval|check|oversight) (?:is |was )?"
                r"(?:needed|required|necessary)",
                rf"\b(?:do not|don'?t|never) (?:send|route|forward|show|escalate|refer|flag){_SOME} (?:to|for) "
                r"(?:a |an |any |the )?(?:human|person|people|expert|review|lead)",
            ),
        ),
    )
)
_PIECES_OF = {
    "token": ("<|", "inst]", "<<", "_of_turn>", "##"),
    "block": ("[", "</", "end of"),
    "role": ("system", "developer", "human", "you are", " mode ", "anything now", "pretend"),
    "json": ('"', "'", "<", "score"),
    "override": ("instruction", "prompt", "principles", "orders", "task", "ignore", "disregard", "forget"),
    "law": (
        *("without", "automatically", "immediately", "directly", "at once", "unread", "unseen", "review"),
        *("vote", "approval", "check", "oversight", "human", "person", "people", "expert", "lead"),
    ),
}
"""What every text has that these shapes are found in: looked for first, since few texts have it."""
_OPENING = ("token", "block", "role")
"""Kinds after which somebody else seems to speak."""
_CIPHERED = re.compile(
    "|".join(
        form
        for word in ("ignore", "instructions", "previous", "answer", "disregard", "choose")
        for form in (word[::-1], codecs.encode(word, "rot13"))
    )
)
"""Words of attacks backwards and in ROT13; several of them nearby are no chance."""
_SPACED = re.compile(r"(?<![^\W_])(?:[^\W_][ .\-_*~|]){7,400}[^\W_](?![^\W_])")
_BLANKS = re.compile(r"[ .\-_*~|]+")
_SQUEEZED = re.compile(
    r"(?:ignore|disregard|forget).{0,12}(?:instruct|prompt|rules|above|previous)|(?:choose|pick|select|prefer|answer)(?:answer|response|option|this|only|the)"
)
_CODED = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_-]{24,}={0,2}")
_MOST_CODED = 4096
"""Characters of a Base64 word that are decoded."""


def _by_shape(folded: str) -> Iterator[Span]:
    for kind, shape in _SHAPES:
        for piece in _PIECES_OF.get(kind, ("",)):
            if piece in folded:
                yield from (Span(*found.span(), kind) for found in shape.finditer(folded))
                break
    ciphered = [found.span() for found in _CIPHERED.finditer(folded)]
    for (start, end), (_, later) in pairwise(ciphered):
        if later - end < 60 and folded[start:end] not in folded[end:later]:
            yield Span(start, later, "override")
    for found in _SPACED.finditer(folded):
        if _SQUEEZED.search(_BLANKS.sub("", found.group())):
            yield Span(*found.span(), "override")


def _by_pattern(text: str) -> Iterator[Span]:
    """What is written in Base64: the word is marked where its meaning gives orders."""
    for found in _CODED.finditer(text):
        word = found.group()[:_MOST_CODED].rstrip("=").translate(_URL_SAFE)
        try:
            meant = base64.b64decode(word[: len(word) // 4 * 4], validate=True).decode("ascii")
        except (binascii.Error, ValueError):
            continue
        orders = (
            chain(_by_words(meant.lower()), _by_shape(meant.lower())) if meant.isprintable() else iter(())
        )
        if (inside := next(orders, None)) is not None:
            yield Span(*found.span(), inside.label)


_URL_SAFE = str.maketrans("-_", "+/")


# Spans -----------------------------------------------------------------------------------------------------------

_HEAD = re.compile(r"[^\n]{0,20}\n{0,3}")
"""The rest of a line that opens a block, after which its text begins."""
_ENDS = re.compile(r"[.!?\u3002\uff01\uff0e\uff1f](?=\s|$)|\n")


def _grow(text: str, mark: Span) -> Span:
    """The mark with the rest of its sentence, as far as that is near. What opens a block of its own takes the sentence
    that follows."""
    opens = mark.label in _OPENING
    before = text[max(0, mark.start - _REACH) : mark.start]
    ends = [found.end() for found in _ENDS.finditer(before)]
    start = mark.start - len(before) + (ends[-1] if ends else 0)
    while start < mark.start and text[start].isspace():
        start += 1
    head = _HEAD.match(text, mark.end) if opens else None
    after = _ENDS.search(text, head.end() if head else mark.end - 1, mark.end + _REACH)
    near = len(text) if len(text) <= mark.end + _REACH else mark.end
    end = near if after is None else max(mark.end, after.end() - (after.group() == "\n"))
    return Span(mark.start if opens else start, end, mark.label)


def _merge(text: str, marks: Iterable[Span]) -> tuple[Span, ...]:
    """Marks in order; those that overlap, or have white space between them alone, are one, of the first one's kind."""
    merged: list[Span] = []
    for mark in sorted(marks):
        last = merged[-1] if merged else None
        if last is not None and (mark.start <= last.end or not text[last.end : mark.start].strip()):
            merged[-1] = Span(last.start, max(last.end, mark.end), last.label)
        else:
            merged.append(mark)
    return tuple(merged)
