"""Load, check and render the templates of the agents.

A template is a Markdown file: front matter in YAML (`name`, `version`, `variables`, `output`), then the parts
`# system` and `# user`, in jinja2. Templates are trusted, their variables are not: values are never compiled as
templates, and texts of seeds, models and people stand between markers that carry a mark. The mark is made for each
prompt out of all that the prompt holds, so that nobody can have written it into one of its texts.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import threading
import traceback
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, wraps
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined, Template, TemplateError, TemplateRuntimeError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from solon.errors import ConfigError
from solon.law.yaml_text import Loader
from solon.reading import read_text, why_unreadable

_KEPT = 256
"""Filled-in parts that each template keeps; some items are under way at a time."""
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PARTS = re.compile(r"^# (system|user)\s*$", re.MULTILINE)
_MARK_CHARS = 6
MARK = "\0"
"""Stands for a prompt's mark where the mark itself is not known: no stored text holds this character."""
_OTHER = "\1"
PER_PROMPT = "prompt"
"""How marks are made today. Runs that were pinned before had one mark for all prompts of an item, and keep it."""
_NEITHER = bytes(number for number in range(128) if not chr(number).isalnum())
_FILLED_IN = re.compile(r"\{\{\s*(.*?)\s*\}\}|\{%.*?%\}", re.DOTALL)
_FILLED_IN_ENDS = re.compile(r"[}%#]\}")
_LONG = 6
"""From so many words on a sentence of a template is nobody else's."""


_SYSTEM = "[system]\n"
_OF_NO_SEED = r"constitution|persona|if|else|endif"
_OPENING = re.compile(rf"(?:(?:[^{{}}\n]|\{{[{{%] *(?:(?:{_OF_NO_SEED})\b *)+[%}}]\}})*\n)+")
"""The first lines of a system part, as far as they name nothing that a seed or a prompt has of its own."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt ready to send.

    Attributes:
        system: the system part.
        user: the user part.
        template: name@version of the template.
        mark: stands in the markers around foreign texts; empty where a run was pinned before each prompt had its own.
        orders: sentences of the template that nobody else writes; `MARK` in them stands for the mark.
        headings: its short sentences and headings, in small letters.
        opening: how many characters of `text` are the principles and the agent's orders, before the first mark: the
            same for the calls of many seeds, and nothing of any seed. 0 where it begins otherwise.
        closing: how many of the last characters of `text` are the template's own words behind all that is filled in.
    """

    system: str
    user: str
    template: str
    mark: str = ""
    orders: tuple[str, ...] = ()
    headings: frozenset[str] = frozenset()
    opening: int = 0
    closing: int = 0

    @property
    def text(self) -> str:
        """Both parts as one text, as it is journalled."""
        return f"{_SYSTEM}{self.system}\n[user]\n{self.user}"

    @property
    def fenced(self) -> list[tuple[str, str]]:
        """The foreign texts in the user part, each with the label of its markers."""
        mark = re.escape(self.mark)
        block = rf"^\[([^\[\]\n]+) {mark}\]\n(.*?)\n\[end of \1 {mark}\]$"
        return re.findall(block, self.user, re.MULTILINE | re.DOTALL)


class Part:
    """One part of a template. Calls of one item often fill it in alike (two drafts, both orders of a pair), so
    the latest texts are kept."""

    def __init__(self, source: str) -> None:
        self._template, self._names = _compiled(source)
        self._filled = lru_cache(maxsize=_KEPT)(self._fill)

    def render(self, values: Mapping[str, Any]) -> str:
        """The part with its variables filled in.

        Raises:
            TemplateError: the part uses a variable that is not given, or fails.
        """
        used = tuple([(name, values[name]) for name in self._names if name in values])
        for _, value in used:
            if not isinstance(value, str):
                return self._fill(used)
        return self._filled(used)

    def _fill(self, given: tuple[tuple[str, Any], ...]) -> str:
        # As `Template.render` does it, without laying the environment's globals together anew each time.
        _COUNT.steps = 0
        context = self._template.new_context(_GLOBALS | dict(given), shared=True)
        try:
            return "".join(self._template.root_render_func(context)).strip()
        except Exception:
            _ENVIRONMENT.handle_exception()  # raises it again, with the lines of the template


@dataclass(frozen=True)
class Prompt:
    """One template with its declared variables.

    Attributes:
        name: which call it is for, such as `judge.pair`.
        version: as its front matter says.
        variables: names that a call must give, all of them and no others.
        output: the kind of answer that the agent reads.
        source: the whole file as text.
        system: the system part, compiled.
        user: the user part, compiled.
        trusted: variables that whoever wrote the template vouches for, so that they need not stand behind `fence`; read
            of templates that come with a recipe.
        marks: how the marks of its markers are made: `PER_PROMPT`, or empty where a run was pinned to the mark of an
            item.
    """

    name: str
    version: str
    variables: tuple[str, ...]
    output: str
    source: str
    system: Part
    user: Part
    trusted: tuple[str, ...] = ()
    marks: str = PER_PROMPT

    @property
    def sha(self) -> str:
        """The first 16 hex digits of the sha256 of the source, by which a run pins the template."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:16]

    @cached_property
    def _declared(self) -> frozenset[str]:
        return frozenset(self.variables)

    @cached_property
    def _sentences(self) -> tuple[tuple[str, ...], frozenset[str]]:
        """`Rendered.orders` and `Rendered.headings`: what the template says itself, whatever is filled in."""
        body = _FILLED_IN.sub(
            lambda m: MARK if m[1] == "mark" else _OTHER, self.source.split("\n---\n", 1)[1]
        )
        sentences = dict.fromkeys(s.strip() for s in re.split(r"(?<=[.!?]) |\n", body))
        own = [s for s in sentences if s and _OTHER not in s]
        orders = [s for s in own if s.count(" ") >= _LONG - 1 and not s.endswith(":")]
        return tuple(orders), frozenset(s.casefold() for s in own if s not in orders)

    def render(self, secret: str, **values: Any) -> Rendered:
        """The prompt with its variables filled in.

        Args:
            secret: what marks are made of, beside the values; known to nobody. The same secret and values give the
                same prompt, in whatever order values are given to the variables.
            values: the declared variables.

        Raises:
            ConfigError: values and declared variables differ, or the template fails.
        """
        if values.keys() != self._declared:
            wrong = sorted(set(values) ^ set(self.variables))
            raise ConfigError(
                f"prompt {self.name}: declared and given variables differ in {', '.join(wrong)}"
            )
        mark = secret[:_MARK_CHARS]
        if self.marks == PER_PROMPT:
            mark = _mark(secret, tuple(sorted(map(str, values.values()))))
        try:
            given = {**values, "mark": mark}
            system, user = self.system.render(given), self.user.render(given)
        except Exception as error:  # a template may divide by zero, or nest itself
            why = "it calls itself without end" if isinstance(error, RecursionError) else error
            told = f"prompt {self.name}: {_line_of(error)}{why}"
            raise ConfigError(told, next_step="see `solon prompts check`") from None
        opening = self._opening.render(values) if self._opening is not None else ""
        shared = len(_SYSTEM) + len(opening) if opening and system.startswith(opening) else 0
        closing = len(self._closing) if user.endswith(self._closing) else 0
        name = f"{self.name}@{self.version}"
        if self.marks != PER_PROMPT:
            return Rendered(system, user, name, opening=shared, closing=closing)
        return Rendered(system, user, name, mark, *self._sentences, shared, closing)

    @cached_property
    def _closing(self) -> str:
        """What stands behind the last variable or block of the user part."""
        *_, kind, user = _PARTS.split(self.source)
        return _FILLED_IN_ENDS.split(user)[-1].strip() if kind == "user" else ""

    @cached_property
    def _opening(self) -> Part | None:
        begins = _OPENING.match(_PARTS.split(self.source, maxsplit=1)[-1].lstrip())
        try:
            return Part(begins.group()) if begins else None
        except TemplateError:  # a block of the template's own ends later
            return None


@lru_cache(maxsize=_KEPT)
def _mark(secret: str, texts: tuple[str, ...]) -> str:
    """A mark that none of the texts holds, however it is written.

    It is a keyed hash of all of them: an author would have to know the secret, and a text that holds its own hash.
    """
    data = "\n".join(texts).encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(data, key=secret.encode()[:64]).hexdigest()
    read = [_letters(text) for text in texts]
    for start in range(len(digest) - _MARK_CHARS):
        mark = digest[start : start + _MARK_CHARS]
        letters = mark.encode()
        if not any(letters in one for one in read):
            return mark
    return digest


def fence(value: str, label: str, mark: str) -> str:
    """A foreign text between markers that it cannot contain: the mark is taken out of it first, see `without`."""
    return f"[{label} {mark}]\n{without(value, mark)}\n[end of {label} {mark}]"


def without(text: str, mark: str) -> str:
    """The text without the mark, until none is left: not in capitals or wide letters, not with blanks or invisible
    characters in between, and not put together by taking another one out."""
    wanted = _letters(mark)
    if not wanted or wanted not in _letters(text):
        return text
    kept: list[str] = []
    letters = bytearray()
    places: list[int] = []  # of each letter, the character in `kept` that it comes from
    for char in text:
        kept.append(char)
        for letter in _letters(char):
            letters.append(letter)
            places.append(len(kept) - 1)
            if letters.endswith(wanted):
                del kept[places[-len(wanted)] :]
                while places and places[-1] >= len(kept):
                    del places[-1], letters[-1]
                break
    return "".join(kept)


@lru_cache(maxsize=_KEPT)
def _letters(text: str) -> bytes:
    """The Latin letters and digits of a text alone, all small and narrow: what of it could be read as a mark."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
    return text.encode("ascii", "ignore").lower().translate(None, _NEITHER)


_MOST_STEPS = 100_000
_LONGEST_PRODUCT = 1_000_000
_LARGEST_IN_POWER = 100
_COUNT = threading.local()


def _step() -> None:
    _COUNT.steps += 1
    if _COUNT.steps > _MOST_STEPS:
        raise TemplateRuntimeError(f"its loops and calls take more than {_MOST_STEPS} steps")


def _counted(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        _step()
        yield value


def _bounded(part: Any) -> Any:
    """A part of what `~` joins, which doubles in a loop until memory ends."""
    if isinstance(part, str) and len(part) > _LONGEST_PRODUCT:
        raise TemplateRuntimeError(f"what `~` joins has more than {_LONGEST_PRODUCT} characters")
    return part


def _check_numbers(args: Iterable[Any], kwargs: Mapping[str, Any]) -> None:
    """Refuse a width or a number of rounds that no prompt needs."""
    for number in (*args, *kwargs.values()):
        if isinstance(number, int) and abs(number) > _LONGEST_PRODUCT:
            raise TemplateRuntimeError(f"it gives a call or a filter a number over {_LONGEST_PRODUCT}")


def _narrow(inner: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that takes no number larger than any prompt needs."""

    @wraps(inner)
    def narrowed(*args: Any, **kwargs: Any) -> Any:
        _check_numbers(args[1:], kwargs)
        return inner(*args, **kwargs)

    return narrowed


class _Bounded(ImmutableSandboxedEnvironment):
    """A sandbox in which each round of a loop and each call is a step, and steps and products are bounded."""

    intercepted_binops = frozenset(["*", "**", "%"])

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, "counted", [], [], None, None, lineno=loop.lineno)
        for joined in list(tree.find_all(nodes.Concat)):
            joined.nodes = [
                nodes.Filter(part, "bounded", [], [], None, None, lineno=part.lineno) for part in joined.nodes
            ]
        return tree

    def call(self, context: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Count a call as a step, and refuse one with a larger number than any prompt needs."""
        _step()
        _check_numbers(args, kwargs)
        return super().call(context, function, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> None:
        """Refuse `format` of a text: a width in it makes a text of any length."""
        if super().wrap_str_format(value) is not None:
            raise TemplateRuntimeError("texts are not formatted with `format`; join them with `~`")

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse a power or product that is larger, or longer, than any prompt needs."""
        if operator == "%":
            if isinstance(left, str):
                raise TemplateRuntimeError("texts are not formatted with `%`; join them with `~`")
            return super().call_binop(context, operator, left, right)
        one, other = (len(side) if hasattr(side, "__len__") else abs(side) for side in (left, right))
        if one * other > _LONGEST_PRODUCT or (operator == "**" and max(one, other) > _LARGEST_IN_POWER):
            raise TemplateRuntimeError(f"what `{operator}` makes of {one} and {other} is too large")
        return super().call_binop(context, operator, left, right)


def _line_of(error: Exception) -> str:
    """`line 13: `, the line of a template's file that failed; empty where unknown."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    line = getattr(error, "lineno", None) or (frames[-1].lineno if frames else None)
    return f"line {line}: " if line else ""


_ENVIRONMENT = _Bounded(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)
_ENVIRONMENT.filters["fence"] = fence
_ENVIRONMENT.filters["counted"] = _counted
_ENVIRONMENT.filters["bounded"] = _bounded
for _name in ("center", "format"):  # a width in them makes a text of any length
    del _ENVIRONMENT.filters[_name]
for _name in ("indent", "batch", "slice"):
    _ENVIRONMENT.filters[_name] = _narrow(_ENVIRONMENT.filters[_name])
del _ENVIRONMENT.globals["lipsum"]  # it writes as many paragraphs as it is asked for
_GLOBALS = dict(_ENVIRONMENT.globals)


@lru_cache(maxsize=128)
def _compiled(source: str) -> tuple[Template, tuple[str, ...]]:
    """A part ready to be filled in, and the variables that it uses. A run needs each twice: as read, and as pinned."""
    names = meta.find_undeclared_variables(_ENVIRONMENT.parse(source))
    return _ENVIRONMENT.from_string(source), tuple(sorted(names))


ABOUT_LABELS = frozenset({"judge.label"})
OF_POOLS = frozenset({"generator.pool"})
OF_RULES = frozenset({"judge.rule"})
OF_SPANS = frozenset({"generator.spans"})
OF_EDITS = frozenset({"generator.edit"})
OF_GROUNDED = frozenset({"critic.grounded"})
OF_RESOLVED_OUTCOMES = frozenset({"resolver.outcome"})
OF_RUBRICS = frozenset({"legislator.rubric"})
OF_INFORMED = frozenset({"judge.pair_informed", "judge.score_informed", "judge.label_informed"})
"""Where judges are shown more than the texts: a rubric of the seed's own, or reasons of other judges."""
OF_MAKERS = frozenset(
    {
        "generator.contrast",
        "generator.evolve",
        "generator.request",
        "generator.rewrite",
        "generator.quoted",
        "generator.user",
        "judge.dialogue",
        "generator.slots",
    }
)
"""Of single makers and questions, each of which names its own."""
OF_SOME = OF_MAKERS.union(
    ABOUT_LABELS,
    OF_POOLS,
    OF_RULES,
    OF_SPANS,
    OF_EDITS,
    OF_GROUNDED,
    OF_RESOLVED_OUTCOMES,
    OF_INFORMED,
    OF_RUBRICS,
)
"""Not every recipe asks with these."""
OF_NO_RUN = frozenset({"legislator.rules", "answer.check"})
"""Asked beside runs alone: a change of it concerns none of them."""


class PromptLibrary:
    """The built-in templates, those that come with a recipe, and over both those of the same name in a folder of the
    user's (`prompts_dir`)."""

    def __init__(self, overlay: str | Path | None = None, *, recipe: Iterable[Path] = ()) -> None:
        """
        Args:
            overlay: the user's folder.
            recipe: folders with templates of a recipe; one of a built-in name takes its place.

        Raises:
            ConfigError: there is no such folder, or a template in one that nobody could use.
        """
        self._prompts: dict[str, Prompt] = {}
        self.overlaid: dict[str, Prompt] = {}
        for entry in sorted(
            resources.files("solon.prompts").joinpath("templates").iterdir(), key=lambda e: e.name
        ):
            if entry.name.endswith(".md"):
                self._add(entry.name, entry.read_text(encoding="utf-8"))
        for beside in recipe:
            self._lay_over(beside, adds=True)
        if overlay is not None:
            folder = Path(overlay).expanduser()
            if not folder.is_dir():
                raise ConfigError(
                    f"prompts_dir: there is no folder {folder}", next_step="make it with `solon prompts copy`"
                )
            self._lay_over(folder)

    def _lay_over(self, folder: Path, *, adds: bool = False) -> None:
        before = dict(self._prompts)
        for path in sorted(folder.glob("*.md")):
            prompt = self._add(str(path), read_text(path, raises=ConfigError), foreign=True)
            if adds and prompt.name not in before:
                _check_new(path, prompt)
                continue
            _compare(path, prompt, before)
            self.overlaid[prompt.name] = before[prompt.name]

    def diff(self, name: str) -> str:
        """How a template differs from the built-in one of its name; empty where it is that one."""
        old = self.overlaid.get(name)
        if old is None:
            return ""
        before, after = (text.source.splitlines(keepends=True) for text in (old, self._prompts[name]))
        return "".join(difflib.unified_diff(before, after, f"built-in/{name}", f"prompts_dir/{name}"))

    def __getitem__(self, name: str) -> Prompt:
        return self._prompts[name]

    def __iter__(self) -> Any:
        return iter(self._prompts.values())

    def manifest(self) -> dict[str, Any]:
        """name -> version, sha, source and kind of marks of every template: what a run pins."""
        return {
            p.name: {"version": p.version, "sha": p.sha, "source": p.source, "marks": p.marks} for p in self
        }

    def for_recipe(self, asks: Collection[str] = ()) -> PromptLibrary:
        """The library as a recipe is pinned to it. Recipes to which a template is nothing are not concerned where it
        changes.

        Args:
            asks: names of those of `OF_SOME` that it asks with.
        """
        left = OF_NO_RUN | (OF_SOME - frozenset(asks))
        library = PromptLibrary.__new__(PromptLibrary)
        library._prompts = {name: p for name, p in self._prompts.items() if name not in left}
        library.overlaid = self.overlaid
        return library

    @cached_property
    def version(self) -> str:
        """A hash of all templates together."""
        parts = [f"{p.name}:{p.sha}:{p.marks}" for p in sorted(self, key=lambda p: p.name)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> PromptLibrary:
        """The library as it was pinned by `manifest`, whatever the files say today."""
        library = cls.__new__(cls)
        library._prompts, library.overlaid = {}, {}
        for name, entry in manifest.items():
            library._add(name, entry["source"], marks=entry.get("marks", ""))
        return library

    def _add(self, place: str, source: str, marks: str = PER_PROMPT, *, foreign: bool = False) -> Prompt:
        try:
            prompt = _parse(source, marks)
            if foreign:
                _ENVIRONMENT.parse(source)
        except (ValueError, KeyError, TypeError, RecursionError, yaml.YAMLError, TemplateError) as error:
            raise ConfigError(
                f"prompt {place}: {_line_of(error)}{why_unreadable(error, source)}",
                next_step="compare it with `solon prompts show`",
            ) from None
        self._prompts[prompt.name] = prompt
        return prompt


def _compare(path: Path, prompt: Prompt, built_in: Mapping[str, Prompt]) -> None:
    """An agent gives its template fixed variables and reads a fixed kind of answer: both must stay."""
    old = built_in.get(prompt.name)
    if old is None:
        near = difflib.get_close_matches(prompt.name, built_in, n=1)
        raise ConfigError(
            f"prompt {path}: no agent asks with {prompt.name!r}",
            next_step=f"did you mean {near[0]!r}?" if near else f"names: {', '.join(sorted(built_in))}",
        )
    wrong = sorted(set(prompt.variables) ^ set(old.variables))
    if wrong or prompt.output != old.output:
        difference = (
            f"its variables differ in {', '.join(wrong)}" if wrong else f"its output is {prompt.output!r}"
        )
        raise ConfigError(
            f"prompt {path}: {difference} from what the agent gives and reads",
            next_step=f"declare {', '.join(old.variables)}; output {old.output}; a variable need not be used",
        )
    if bare := sorted(_unfenced(prompt.source) & _fenced(old.source)):
        raise ConfigError(
            f"prompt {path}: `{bare[0]}` stands without `fence`: whoever wrote that text could give orders in it",
            next_step=f'write {{{{ {bare[0]} | fence("label", mark) }}}}, as `solon prompts show {prompt.name}` does',
        )
    check_prompt(prompt, place=str(path))


_TAKEN = frozenset({"mark", "role", "schema", "sample"})
"""What no variable of a new template can be called: the mark, and what `Case.ask` takes besides."""


def _check_new(path: Path, prompt: Prompt) -> None:
    """A template that only parts of a recipe ask with: all that it writes is declared, and stands behind `fence` unless
    its writer vouches for it."""
    if taken := sorted(_TAKEN.intersection(prompt.variables)):
        raise ConfigError(
            f"prompt {path}: no variable can be called {taken[0]!r}", next_step="give it another name"
        )
    tree = _ENVIRONMENT.parse(_below_head(prompt.source))
    for name in sorted(meta.find_undeclared_variables(tree) - {*prompt.variables, "mark"}):
        raise ConfigError(
            f"prompt {path}: {_line_of_name(tree, name)}`{name}` is none of its variables",
            next_step=f"its head declares {', '.join(prompt.variables) or 'none'}",
        )
    bare = _unfenced(prompt.source) & {*prompt.variables} - {*prompt.trusted}
    for name in sorted(bare):
        raise ConfigError(
            f"prompt {path}: {_line_of_name(tree, name)}`{name}` stands without `fence`: whoever wrote that text could "
            "give orders in it",
            next_step=f'write {{{{ {name} | fence("{name}", mark) }}}}, or, where nobody but you writes it, '
            f"`trusted: [{name}]` in the head",
        )
    check_prompt(prompt, place=str(path))


def _line_of_name(tree: nodes.Template, name: str) -> str:
    return next((f"line {one.lineno}: " for one in tree.find_all(nodes.Name) if one.name == name), "")


def _fenced(source: str) -> set[str]:
    """The variables that a template puts behind `fence`."""
    filters = _ENVIRONMENT.parse(source).find_all(nodes.Filter)
    return {name.name for one in filters if one.name == "fence" and one.node for name in _names_in(one.node)}


def _unfenced(source: str) -> set[str]:
    """The variables that a template writes out, or hands on, without `fence`; what a condition asks is not written."""
    tree = _ENVIRONMENT.parse(source)
    written: list[nodes.Node] = [part for output in tree.find_all(nodes.Output) for part in output.nodes]
    written += [loop.iter for loop in tree.find_all(nodes.For)]
    written += [given.node for given in tree.find_all(nodes.Assign)]
    return {name.name for part in written for name in _names_outside_fences(part)}


def _names_outside_fences(node: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Filter) and node.name == "fence":
        return
    if isinstance(node, nodes.Name):
        yield node
    asked = node.test if isinstance(node, nodes.CondExpr) else None
    for child in node.iter_child_nodes():
        if child is not asked:
            yield from _names_outside_fences(child)


def _names_in(node: nodes.Node) -> Iterator[nodes.Name]:
    return chain([node] if isinstance(node, nodes.Name) else [], node.find_all(nodes.Name))


def check_prompt(prompt: Prompt, *, place: str = "") -> None:
    """Check that a template renders, with every variable filled and with every one empty, so that both sides of
    an `if` are seen.

    Args:
        place: its file, for the error; default: its name.

    Raises:
        ConfigError: it fails.
    """
    try:
        prompt.render("abc123", **{name: f"<{name}>" for name in prompt.variables})
        prompt.render("abc123", **dict.fromkeys(prompt.variables, ""))
    except ConfigError as error:
        raise ConfigError(
            error.cause.replace(prompt.name, place or prompt.name, 1), next_step=error.next_step
        ) from None


def _parts_of(body: str) -> dict[str, str]:
    """The parts of a template by their names, each below as many empty lines as it has lines above it in the file."""
    found = list(_PARTS.finditer(body))
    ends = [*(one.start() for one in found[1:]), len(body)]
    parts = {}
    for heading, end in zip(found, ends, strict=True):
        text = body[heading.end() : end]
        above = body[: end - len(text.lstrip())].count("\n")
        parts[heading[1]] = "\n" * above + text.strip()
    return parts


def _below_head(source: str) -> str:
    """A template with empty lines in the place of its front matter."""
    front, _, body = source[4:].partition("\n---\n")
    return "\n" * (front.count("\n") + 3) + body


@lru_cache(maxsize=128)
def _head_and_parts(source: str) -> tuple[dict[str, Any], dict[str, str]]:
    if not source.startswith("---\n"):
        raise ValueError("it does not begin with front matter (---)")
    front, ended, _ = source[4:].partition("\n---\n")
    if not ended:
        raise ValueError("its front matter has no end (---)")
    front = f"\n{front}"  # errors name the lines of the file
    head = yaml.load(front, Loader=Loader if "*" in front else _Loader)  # a few aliases expand to gigabytes
    wanted = ("name", "version", "variables", "output")
    if missing := [key for key in wanted if not isinstance(head, dict) or key not in head]:
        raise ValueError(f"line 1: its front matter has no {missing[0]!r}")
    parts = _parts_of(_below_head(source))
    if set(parts) != {"system", "user"}:
        raise ValueError("it needs the parts '# system' and '# user'")
    return head, parts


def _parse(source: str, marks: str) -> Prompt:
    # what a prompt was filled in with is kept with it, and must not outlive its library
    head, parts = _head_and_parts(source)
    return Prompt(
        name=str(head["name"]),
        version=str(head["version"]),
        variables=tuple(head["variables"]),
        output=str(head["output"]),
        source=source,
        system=Part(parts["system"]),
        user=Part(parts["user"]),
        trusted=tuple(head.get("trusted") or ()),
        marks=marks,
    )
