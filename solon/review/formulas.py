"""Formulas in Markdown as MathML: between dollars, between escaped brackets, or in environments of LaTeX.

A formula is rendered only where all of it can be seen afterwards; else it is shown exactly as it was written.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from solon.review.characters import HIDDEN, OPEN

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline

MAX_FORMULA, MAX_LINES, MAX_DEPTH = 1_000, 60, 60

TAGS = {
    "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup", "mover",
    "munder", "munderover", "mtable", "mtr", "mtd", "mstyle", "menclose",
}  # fmt: skip
ATTRIBUTES: dict[str, set[str]] = {
    "math": {"display"},
    "mi": {"mathvariant"},
    "mo": {"stretchy", "fence", "form", "separator"},
    "mspace": {"width"},
    "mfrac": {"linethickness"},
    "mover": {"accent"},
    "munder": {"accent"},
    "mtable": {"columnalign"},
    "mtd": {"columnalign"},
    "mstyle": {"displaystyle", "scriptlevel"},
    "menclose": {"notation"},
}
_COMMANDS = {
    "frac", "dfrac", "tfrac", "cfrac", "binom", "dbinom", "tbinom", "sqrt", "left", "right", "middle", "big", "Big",
    "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr", "Biggl", "Biggr", "text", "textbf", "textit",
    "textrm", "mathrm", "mathbf", "mathit", "mathsf", "mathtt", "mathbb", "mathcal", "mathfrak", "mathscr",
    "boldsymbol", "operatorname", "begin", "end", "overline", "underline", "overbrace", "underbrace", "hat",
    "widehat", "tilde", "widetilde", "bar", "vec", "dot", "ddot", "acute", "grave", "check", "breve",
    "overrightarrow", "overleftarrow", "stackrel", "overset", "underset", "limits", "nolimits", "sin", "cos", "tan",
    "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "coth", "log", "ln", "lg", "exp",
    "max", "min", "sup", "inf", "lim", "limsup", "liminf", "det", "gcd", "dim", "ker", "hom", "deg", "arg", "Pr",
    "bmod", "pmod", "quad", "qquad", "displaystyle", "textstyle", "boxed",
}  # fmt: skip
_ENVIRONMENTS = "(?:[pbBvV]?matrix|smallmatrix|cases|array|aligned|align|gathered|gather|split|equation)"
_CLOSERS = {"$$": "$$", r"\[": r"\]", r"\(": r"\)", "$": "$"}
_ESCAPABLE = frozenset("*_`#+-.|~<>&$")
_BEGIN = re.compile(rf"\\begin\{{({_ENVIRONMENTS}\*?)\}}")
_SIGNAL = re.compile(r"[\\^_=+<>*/|]")
_NESTING = re.compile(
    r"\\(?P<begin>begin|end)\s*\{(?P<name>.*?)\}|\\(?P<fence>left|right)(?![a-zA-Z])|(?P<line>\\\\|&)|\\.|[{}]|\\$",
    re.S,
)
_UNKNOWN = re.compile(
    r"(?<!\\)[%#]"  # a comment, a parameter
    r"|\\(?:left|right|middle|[bB]igg?[lr]?)(?![a-zA-Z])(?!\s*[][()|/.<>\\])"  # no bracket after it
    r"|\\begin\s*\{array\}(?!\s*\{[lcr\s]+\})"  # no columns, or rules between them
    r"|\\\\[\[*]"  # a distance of lines
)
_PARTS = {
    "mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "mover": 2, "munder": 2, "msubsup": 3, "munderover": 3,
}  # fmt: skip
_SCRIPTS = {"msub", "msup", "msubsup"}
_WIDTH = re.compile(r"(?:0?\.\d{1,4}|[12])em")


def add_formulas(parser: MarkdownIt) -> None:
    """Teach a Markdown parser formulas, and to keep every backslash that is no escape of Markdown's own."""
    from markdown_it.rules_inline import escape

    def keep_backslash(state: StateInline, silent: bool) -> bool:
        after = state.src[state.pos + 1 : state.pos + 2]
        if state.src[state.pos] != "\\" or (after and after in _ESCAPABLE):
            return bool(escape(state, silent))
        both = "\\\\" if after == "\\" else "\\"
        if not silent:
            state.pending += both
        state.pos += len(both)
        return True

    parser.inline.ruler.at("escape", keep_backslash)
    parser.inline.ruler.before("escape", "formula", _inline)
    parser.block.ruler.before(
        "fence", "formula", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    rules = parser.renderer.rules  # type: ignore[attr-defined]
    rules["formula"] = lambda tokens, at, *_: _show(tokens[at])
    rules["formula_block"] = lambda tokens, at, *_: f"<p>{_show(tokens[at])}</p>\n"


def _show(token: Any) -> str:
    shown = to_mathml(token.content, token.meta["display"])
    if shown is None:
        return html.escape(token.markup).replace("\n", "<br>")
    return shown + html.escape(token.meta["tail"])


def _push(state: Any, kind: str, content: str, written: str, *, display: bool, tail: str = "") -> Any:
    token = state.push(kind, "", 0)
    token.content, token.markup, token.meta = content, written, {"display": display, "tail": tail}
    return token


def _inline(state: StateInline, silent: bool) -> bool:
    source, at = state.src, state.pos
    opener = next((one for one in _CLOSERS if source.startswith(one, at)), None)
    if opener is None:
        return False
    begin = at + len(opener)
    end = source.find(_CLOSERS[opener], begin, min(state.posMax, begin + MAX_FORMULA))
    if end <= begin or (opener == "$" and not _is_formula(source, at, end)):
        return False
    close = end + len(_CLOSERS[opener])
    if not silent:
        _push(state, "formula", source[begin:end], source[at:close], display=opener in ("$$", r"\["))
    state.pos = close
    return True


def _is_formula(source: str, at: int, end: int) -> bool:
    """A dollar begins a formula, and no price, where nothing but the formula touches it (as in Pandoc)."""
    inner, before, after = source[at + 1 : end], source[at - 1 : at], source[end + 1 : end + 2]
    touches = inner[0].isspace() or inner[-1].isspace() or inner[-1] == "\\"
    return not (touches or before.isalnum() or after.isalnum() or "\n\n" in inner)


def _block(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    """A formula with lines of its own, as `$$`, `\\[` or an environment opens it."""

    def line(at: int) -> str:
        return state.src[state.bMarks[at] + state.tShift[at] : state.eMarks[at]]

    if state.is_code_block(first):
        return False
    opening = line(first)
    environment = _BEGIN.match(opening)
    opener = environment.group() if environment else opening[:2]
    closer = rf"\end{{{environment.group(1)}}}" if environment else _CLOSERS.get(opener, "")
    if not closer or len(opener) < 2 or opener == r"\(":
        return False
    ending = re.compile(re.escape(closer) + r"([.,;]?)\s*$")
    for at in range(first, min(last, first + MAX_LINES)):
        here = line(at)
        if not here.strip() or (at > first and (state.sCount[at] < state.blkIndent or here == opening)):
            return False
        found = ending.search(here, len(opener) if at == first else 0)
        if found is not None:
            break
    else:
        return False
    if silent:
        return True
    written = "\n".join(map(line, range(first, at + 1))).rstrip()
    tail = found.group(1)
    whole = written.removesuffix(tail)
    content = whole if environment else whole[len(opener) : len(whole) - len(closer)]
    token = _push(state, "formula_block", content, written, display=True, tail=tail)
    token.map = [first, at + 1]
    state.line = at + 1
    return True


@lru_cache(maxsize=2048)
def to_mathml(formula: str, display: bool) -> str | None:
    """Return a formula as MathML of a few harmless elements; None where it cannot be shown whole, or is no formula."""
    from latex2mathml.converter import Converter
    from latex2mathml.symbols_parser import convert_symbol

    if len(formula) > MAX_FORMULA or OPEN in formula or _UNKNOWN.search(formula):
        return None
    bare, words = formula.strip(), re.findall(r"[^\W\d_]+", formula)
    if not _SIGNAL.search(bare) and (not words or max(map(len, words)) > 1):
        return None
    for command in re.findall(r"\\([a-zA-Z]+)", formula):
        if command not in _COMMANDS and not convert_symbol("\\" + command):
            return None
    if any(
        not re.fullmatch(rf"{_ENVIRONMENTS}\*?", name)
        for name in re.findall(r"\\(?:begin|end)\s*\{(.*?)\}", bare)
    ):
        return None
    if not _is_nested(bare):
        return None
    bare = re.sub(
        r"\\(begin|end)\{(align|gather|equation)\}", r"\\\1{\2*}", bare
    )  # else they would be numbered
    bare = re.sub(r"\\(begin|end)\{equation\*\}", "", bare)
    try:
        tree = Converter(display="block" if display else "inline").convert_to_element(bare)
        shown = _spell(tree, 0)
    except (Exception, RecursionError):  # whatever a foreign text brings about: it is shown as it was written
        return None
    seen = re.sub(r"<[^>]*>", "", shown)
    return shown if _is_whole(formula, html.unescape(seen)) else None


def _is_whole(formula: str, seen: str) -> bool:
    """Every letter, digit and sign of the formula is there, and no digit more."""
    if HIDDEN.search(seen):
        return False
    written = re.sub(r"\\begin\{array\}\{[^}]*\}|\\(?:begin|end)\{[^}]*\}|\\[a-zA-Z]+", " ", formula)
    wanted, there = (
        Counter(one for one in unicodedata.normalize("NFKC", text) if one.isalnum())
        for text in (written, seen)
    )
    digits = [one for one in there | wanted if one.isdigit()]
    return not wanted - there and all(wanted[one] == there[one] for one in digits)


def _is_nested(formula: str) -> bool:
    """Groups, fences and environments end in the order in which they began; lines and cells stand in environments."""
    begun: list[str] = []
    for found in _NESTING.finditer(formula):
        one = found.group()
        if found["line"]:
            if not begun or begun[-1] in ("{", "left") or begun[-1].startswith("equation"):
                return False
        elif one == "{" or found["begin"] == "begin" or found["fence"] == "left":
            begun.append(found["name"] or found["fence"] or one)
        elif one == "}" or found["begin"] or found["fence"]:
            if not begun or begun.pop() != (found["name"] or ("left" if found["fence"] else "{")):
                return False
        elif one == "\\":
            return False
    return not begun


def _is_mended(element: Element) -> bool:
    """Whether the library drew another thing than was written: it fills gaps and takes commands for letters."""
    words, parts = element.text or "", list(element)
    if element.tag in _PARTS and len(parts) != _PARTS[element.tag]:
        return True
    if element.tag == "mo" and not words and "fence" not in element.attrib:
        return True
    if ("\\" in words and words != "\\") or (element.tag != "mo" and re.search("[{}]", words)):
        return True
    scripts = element.tag in _SCRIPTS | {"munderover"}
    if scripts and parts[0].tag in _SCRIPTS | {"munderover"}:  # a second index without braces
        return True
    if element.tag not in _PARTS and element.tag != "msqrt":
        return False
    arguments = parts[1:] if scripts else parts[:1] if element.tag == "mroot" else parts
    return any(
        one.tag == "mn" and len(one.text or "") > 1 for one in arguments
    )  # TeX takes the first digit only


def _spell(element: Element, depth: int) -> str:
    """Return an element as MathML, of tags and attributes that are known; what is foreign in it is text."""
    if element.tag not in TAGS or depth > MAX_DEPTH:
        raise ValueError(f"no element for a formula: {element.tag}")
    if _is_mended(element):
        raise ValueError(f"not drawn as it was written: {element.tag}")
    known = ATTRIBUTES.get(element.tag, set())
    given = {name: value for name, value in element.attrib.items() if name in known}
    if element.tag == "mspace" and not _WIDTH.fullmatch(given.get("width", "")):
        given = {}
    attributes = "".join(f' {name}="{html.escape(value)}"' for name, value in given.items())
    inner = "".join(_spell(child, depth + 1) + _text(child.tail) for child in element)
    return f"<{element.tag}{attributes}>{_text(element.text)}{inner}</{element.tag}>"


def _text(words: str | None) -> str:
    return html.escape(
        re.sub(r"&#x([0-9A-Fa-f]{2,6});", lambda one: chr(int(one[1], 16)), words or ""), quote=False
    )
