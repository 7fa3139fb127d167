"""Texts as HTML: formulas, directions, code, exact characters; and two texts held against each other."""

from __future__ import annotations

import re
from html import escape, unescape

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from hypothesis import given, settings
from hypothesis import strategies as st
from texts import ARABIC, FIRST, FORMULAS, LONG, SECOND

from solon.review import comparing
from solon.review.comparing import MAX_CELLS, align, compare, word_diff
from solon.review.formulas import to_mathml
from solon.review.highlighting import render_code
from solon.review.markdown import render, render_source
from solon.review.scripts import bundle, script


def shown(html: str) -> str:
    """What is read of HTML, without its tags."""
    return unescape(re.sub(r"<[^>]*>", "", html.replace("<br>", "\n")))


class TestFormulas:
    @pytest.mark.parametrize(
        ("formula", "elements"),
        [
            (r"\frac{a}{b}", {"mfrac"}),
            (r"x_{1,2}^n", {"msubsup"}),
            (r"\begin{cases} 1 & x>0 \\ 0 & \text{else}\end{cases}", {"mtable", "mtext"}),
            (r"\begin{align} a &= b \\ c &= d \end{align}", {"mtable"}),
            (r"\mathbb{R}^n \to \hat{\beta}", {"msup", "mover"}),
            (r"\sqrt[3]{x} \le \boxed{42}", {"mroot", "menclose"}),
            (r"50\,\%", {"mspace"}),
            (
                r"\left\{ [0, 1) \right. \frac12 x_{12}^{34} \sqrt[12]{2} 12^3",
                {"mrow", "mfrac", "msubsup", "mroot", "msup"},
            ),
            (r"\begin{equation}\begin{array}{rl}a & 1 \\ b & 2\end{array}\end{equation}", {"mtable"}),
        ],
    )
    def test_a_formula_is_rendered_whole(self, formula: str, elements: set[str]) -> None:
        made = to_mathml(formula, True)
        assert made is not None
        assert elements <= set(re.findall(r"<(\w+)", made))

    @pytest.mark.parametrize(
        "formula",
        [
            "a % b", r"\frac{1}{", r"\notacommand{x}", r"\phantom{x}=1", r"\color{white}{x}=1",
            r"\href{javascript:x}{y}",
            r"\def\x{\x\x}\x", "5 or 5", r"a = b \\ c = d", "{" * 900, r"\style{x:y}{z}=1", "_" * 500,
            "x\ue000U+200B\ue001",
            # what the library would mend in silence
            r"\frac{1}{2", r"\frac{1}", r"x^{2", "x^2}", r"\text{if {x} is}", r"\left( x \right)}",
            r"{\left( x} \right)", r"\left x \right)", r"\operatorname", r"\binom12", r"\frac{1}23", r"\sqrt 23",
            "x_1^2_3", r"\end{matrix}", r"\begin{equation}x=1", r"\begin{matrix}{1\end{matrix}}",
            r"\begin{array}1\end{array}", r"\begin{array}{c|c}1&2\end{array}",
            r"a=1 \\ \begin{matrix}1\end{matrix}", r"\bigl\langle x",
            r"\begin{matrix}1\\[2pt]2\end{matrix}", r"\begin{equation}a=1 \\ b=2\end{equation}",
        ],
    )  # fmt: skip
    def test_what_would_not_be_seen_whole_is_left_as_it_was_written(self, formula: str) -> None:
        assert to_mathml(formula, False) is None

    @pytest.mark.parametrize(
        "text",
        [
            "It costs $5 and then $10.", "US$5 and CA$7 a day", "$HOME and $PATH", r"\(\notacommand{x}\)",
            r"$\frac{1}{$", r"a\,b\;c\!d", r"C:\\dir\new", r"\[citation needed\]", "$$", "$ x $", r"\(",
            "&nbsp; &#x202E;", "[a]: http://x.org",
        ],
    )  # fmt: skip
    def test_nothing_is_eaten(self, text: str) -> None:
        assert shown(render(text)).strip() == text

    def test_formulas_stand_in_their_text(self) -> None:
        html = render(FORMULAS)
        assert html.count("<math") == 5
        assert r"$\frac{1}{$ and \(\notacommand{x}\)" in html
        assert "<li>" not in html, "a line of a formula that begins with + is no list"
        assert "<math" in render(r"- $\alpha$ in a list" + "\n\n| a |\n|---|\n| $x^2$ |")


class TestDirections:
    def test_blocks_and_cells_go_by_their_own_letters(self) -> None:
        html = render(ARABIC)
        assert '<td dir="ltr">250-500 mg</td>' in html
        assert '<td dir="rtl">باراسيتامول</td>' in html
        assert '<p dir="ltr">English' in html
        assert '<span dir="ltr">5-10 ml</span>' in html
        assert html.index('<ul dir="rtl">') < html.index('<li dir="ltr">second')

    def test_a_cell_of_numbers_is_read_from_the_left(self) -> None:
        assert '<td dir="ltr">6–8</td>' in render("| الدواء |\n|---|\n| 6–8 |")

    def test_exact_characters_are_all_there(self) -> None:
        html = render_source("a\r\n\tb\u00a0c \u200d 250-500 mg <b> \u202e")
        names = re.sub(r'<span class="hidden-char">U\+(\w+)</span>', lambda one: chr(int(one[1], 16)), html)
        assert shown(names) == "a\r\n\tb\u00a0c \u200d 250-500 mg <b> \u202e"


class TestCode:
    @pytest.mark.parametrize("language", ["python", "c++", "nonsense", "", "Python title=x"])
    def test_code_is_coloured_and_whole(self, language: str) -> None:
        code = 'def f():\n\treturn """two\n\nlines""" + "\ue000"  # <b>\n'
        html = render_code(code, language)
        lines = re.findall(r'<span class="line">(.*?)</span>(?=<span class="line">|</code>)', html)
        assert "\n".join(map(shown, lines)) == code.removesuffix("\n")
        assert ('class="c-word"' in html) == (language in ("python", "c++", "Python title=x"))
        assert shown(html).startswith(language)

    def test_what_could_take_long_is_not_coloured(self) -> None:
        assert "c-" not in render_code("x = 1\n" * 2_000, "python")
        assert "c-" not in render_code("int x;" + "\n" * 2_000, "java")
        fences = "```python\nx = 1\n```\n" * 2_000
        assert render(fences).count("c-number") < 2_000


class TestComparing:
    def test_words_inside_paragraphs_that_differ(self) -> None:
        found = compare("Same.\n\nTake **500 mg** now.\n\nGone.", "Same.\n\nTake **800 mg** now.")
        assert found.left.startswith(
            '<p dir="ltr">Same.</p>\n<p dir="ltr">Take <strong><del data-change="1">500</del> mg'
        )
        assert '<ins data-change="1">800</ins> mg' in found.right
        assert '<del data-change="2">Gone</del>' in found.left
        assert found.changes == 2

    def test_formulas_code_and_tables_stay_rendered(self) -> None:
        found = compare(FIRST, SECOND)
        assert re.search(r'<del data-change="1"><math.*?</math></del>', found.left)
        for side, text in ((found.left, FIRST), (found.right, SECOND)):
            bare = re.sub(r"</?(?:ins|del)[^>]*>", "", side)
            assert bare == render(text), "marks only are added"

    def test_what_is_said_of_them(self) -> None:
        assert compare("a b c", "a b c").tell() == "The words are the same."
        assert compare("**a** b", "a b").tell() == "The words are the same; their form differs."
        assert "mostly different" in compare("one two three four five", "six seven eight nine five").tell()
        assert (
            compare("a b c d e", "a b x d e").tell()
            == "They differ in 1 place; 80% of their words are the same."
        )

    def test_repeating_texts_take_bounded_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two kilobytes of this took 14 s by longest matching blocks. The bound is on the work, not on a clock."""
        cells, common = [], comparing._common
        monkeypatch.setattr(comparing, "_common", lambda a, b: cells.append(len(a) * len(b)) or common(a, b))
        found = compare("a b " * 6_000, "b a " * 5_999 + "c")
        assert found.changes <= 3
        assert 0 < sum(cells) <= MAX_CELLS

    def test_over_the_bound_passages_are_marked_whole_and_it_is_said(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("solon.review.comparing.MAX_CELLS", 50)
        found = compare(LONG, "x " + LONG.replace("word3 ", "other "))
        assert found.coarse
        assert "too long" in found.tell()
        assert shown(found.left) == shown(render(LONG))

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
    def test_an_alignment_makes_up_both_and_is_longest(self, left: list[str], right: list[str]) -> None:
        steps = align(left, right)
        assert [n for _, a1, a2, _, _ in steps for n in range(a1, a2)] == list(range(len(left)))
        assert [n for _, _, _, b1, b2 in steps for n in range(b1, b2)] == list(range(len(right)))
        for same, a1, a2, b1, b2 in steps:
            assert not same or left[a1:a2] == right[b1:b2]
        assert sum(a2 - a1 for same, a1, a2, _, _ in steps if same) == longest(left, right)

    @settings(max_examples=100, deadline=None)
    @given(
        st.text(alphabet="ab <&\n*`|$\u202e", max_size=60), st.text(alphabet="ab <&\n*`|$\u202e", max_size=60)
    )
    def test_any_two_texts(self, left: str, right: str) -> None:
        found = compare(left, right)
        assert re.sub(r"</?(?:ins|del)[^>]*>", "", found.left) == render(left)
        alone = [word_diff(text, "")[0] for text in (left, right)]
        assert list(map(shown, word_diff(left, right))) == list(map(shown, alone))


def longest(left: list[str], right: list[str]) -> int:
    """The length of a longest common subsequence, by the textbook's table."""
    row = [0] * (len(right) + 1)
    for a in left:
        row = [0, *(0 for _ in right)] if not right else _next(row, a, right)
    return row[-1]


def _next(row: list[int], a: str, right: list[str]) -> list[int]:
    made = [0]
    for j, b in enumerate(right):
        made.append(row[j] + 1 if a == b else max(row[j + 1], made[j]))
    return made


def test_the_modules_are_one_script() -> None:
    path, body = script()
    assert re.fullmatch(r"/static/script-[0-9a-f]{12}\.js", path)
    assert not re.search(r"^(?:import|export) ", body, re.MULTILINE)
    assert not re.search(r"^ *//", body, re.MULTILINE)
    assert body.count('modules["net.js"] =') == 1
    assert 'const { call } = modules["net.js"];' in bundle("reading.js")


def test_a_star_between_digits_or_letters_is_shown() -> None:
    assert "2*3*4 mg and 5*weight*2" in render("2*3*4 mg and 5*weight*2")
    assert "<em>so</em> and <strong>so</strong>" in render("*so* and **so**")


def test_items_of_a_list_have_the_numbers_that_were_written() -> None:
    shown = render("3. third\n4. fourth\n7. seventh\n   1. a\n   1. b\n8. eighth")
    assert re.findall(r'<li dir="ltr"(?: value="(\d+)")?>', shown) == ["", "", "7", "", "1", ""]
    told = compare("1. a\n2. b", "1. a\n7. b").tell()
    assert told == "The words are the same; their form differs."


@pytest.mark.parametrize("before", ["", "> ", "- "])
def test_a_table_whose_row_has_more_cells_than_its_head_is_shown_as_it_was_written(before: str) -> None:
    indent = "  " if before == "- " else before
    row = "|Heparin|5000 IU|not in bleeding|"
    rows = [f"{before}|Drug|Dose|", f"{indent}|-|-|", f"{indent}{row}"]
    assert "not in bleeding" in render("\n".join(rows))
    other = "\n".join(rows).replace("not in", "may be given in")
    assert compare("\n".join(rows), other).changes == 1
    assert "<table" in render("\n".join(rows).replace("|not in bleeding", "")), "fewer cells lose nothing"
    assert "`x|y`" in render("|a|b|\n|-|-|\n|`x|y`|2|")


@pytest.mark.parametrize(
    "quantity",
    [
        "< 30 mL/min/1.73 m²",
        "500 mg/5 mL",
        "875 mg/125 mg",
        "-5 °C",
        "2 x 500 mg",
        "250-500 mg",
        "10 µg/kg/min",
    ],
)
def test_a_quantity_in_arabic_text_stays_in_one_piece(quantity: str) -> None:
    piece = f'<span dir="ltr">{escape(quantity)}</span>'
    assert piece in render(f"الجرعة {quantity} يوميا")
    assert piece in render(f"Dose: مرات {quantity}"), "also where the paragraph begins in Latin"
    assert piece in render_source(f"| Ibuprofen إيبوبروفين | {quantity} |")
