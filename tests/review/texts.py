"""Answers that are hard to show as they were written: formulas, Arabic doses, code, hidden characters, great length."""

from __future__ import annotations

FORMULAS = r"""The roots of $ax^2+bx+c=0$ with $a\ne 0$ are

$$x_{1,2} = \frac{-b \pm \sqrt{b^2-4ac}}{2a}\,.$$

Inline \(\int_0^1 f(x)\,dx = \sum_{i=1}^n a_i\;\) and displayed:

\[
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}
+ \vec{v}
\]

It costs $5 and then $10 more. Broken: $\frac{1}{$ and \(\notacommand{x}\) end. Spaces: a\,b\;c.
"""

ARABIC = """الجرعة الموصى بها للبالغين هي التالية.

| الدواء | الجرعة |
|---|---|
| باراسيتامول | 250-500 mg |

English in the same answer: take 250-500 mg twice daily.

- النقطة الأولى 5-10 ml يوميا
- second point
"""

CODE = """```python
def greet(name: str) -> str:
    # a comment that is fairly long, so that it has to wrap on a phone and on a desktop too, as it goes on and on and on
    return f"Hello {name}! {1 + 2}"
```

> A quoted passage that somebody said.

| one | two | three | four | five | six | seven | eight |
|---|---|---|---|---|---|---|---|
| paracetamol tablets | 500 mg | four times a day | with water | not with alcohol | liver | halve it | ask first |
"""

HIDDEN = "Family 👩‍👩‍👧 and text\u202e turned \u200fright\u200b, zero\u0007 bell, nb\u00a0sp, tab\tx "
HIDDEN += "and <b>&amp;</b>  two"

LONG = "\n\n".join(
    f"Paragraph {n}. " + " ".join(f"word{(7 * n + k) % 300}" for k in range(48)) for n in range(80)
)

UNBROKEN = "x" * 3000
FIRST = "\n\n".join([FORMULAS, ARABIC, CODE, HIDDEN, LONG, UNBROKEN])
SECOND = (
    FIRST.replace("4ac", "4ab")
    .replace("Hello", "Hi")
    .replace("word77 ", "changed ", 3)
    .replace("quoted", "cited")
)
