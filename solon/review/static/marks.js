// Spans in a text, marked with the mouse or by keyboard. Offsets count characters as the server does (code points), while
// the browser counts UTF-16 units. The text is set as text nodes only: nothing in it is ever read as HTML.
import { t } from "./texts.js";
const all = (root, selector) => [...root.querySelectorAll(selector)];
const GRAPHEMES = globalThis.Intl?.Segmenter ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : null;
const WORDS = globalThis.Intl?.Segmenter ? new Intl.Segmenter(undefined, { granularity: "word" }) : null;

export const points = (text) => Array.from(text).length;

// Places in code points at which a character (or a word) as people see it begins or ends.
function borders(text, segmenter) {
  const found = [0];
  let at = 0;
  for (const part of segmenter ? segmenter.segment(text) : Array.from(text, (segment) => ({ segment }))) { at += points(part.segment); found.push(at); }
  return found;
}

// Where words begin and where they end.
function wordBorders(text) {
  const starts = [], ends = [];
  let at = 0;
  for (const { segment, isWordLike } of WORDS ? WORDS.segment(text) : Array.from(text, (one) => ({ segment: one, isWordLike: one.trim() }))) {
    if (isWordLike) { starts.push(at); ends.push(at + points(segment)); }
    at += points(segment);
  }
  return { starts, ends };
}

const byPlace = (a, b) => a.start - b.start || a.end - b.end || (a.label < b.label ? -1 : 1);
const spell = (marks) => JSON.stringify([...marks].sort(byPlace).map(({ start, end, label }) => [start, end, label]));

// `dashed`: what is there already was proposed by somebody else.
export function marker(root, text, there, changed, dashed = true) {
  const place = root.querySelector(".marked"), list = root.querySelector(".marks"), said = root.querySelector(".marked-said");
  const kinds = all(root, "[data-kind]").map((button) => button.dataset.kind), overlap = root.querySelector(".marking").dataset.overlap === "yes";
  const chars = Array.from(text), steps = borders(text, GRAPHEMES), words = wordBorders(text), before = spell(there);
  let touched = false, tapped = null;   // by a finger; the word that was tapped first
  let marks = there.map((mark) => ({ ...mark, proposed: dashed })), anchor = 0, caret = 0, chosen = null;
  const past = [];

  const quote = (mark) => chars.slice(mark.start, mark.end).join("");
  const range = () => [Math.min(anchor, caret), Math.max(anchor, caret)];
  const tell = (words) => { said.textContent = words; };
  const keep = () => { past.push({ marks: marks.map((mark) => ({ ...mark })), anchor, caret }); };
  const touch = () => { marks.sort(byPlace); draw(); changed(); };

  function draw() {
    const [from, to] = range(), cuts = new Set([0, chars.length, from, to, caret]);
    for (const mark of marks) { cuts.add(mark.start); cuts.add(mark.end); }
    const edges = [...cuts].sort((a, b) => a - b), parts = [];
    const cursor = () => { const one = document.createElement("span"); one.className = "caret"; return one; };
    edges.forEach((start, i) => {
      if (start === caret) parts.push(cursor());
      const end = edges[i + 1];
      if (end === undefined || end === start) return;
      const over = marks.filter((mark) => mark.start <= start && end <= mark.end);
      const part = document.createElement(over.length ? "mark" : "span");
      part.textContent = chars.slice(start, end).join("");
      part.dataset.start = start;
      if (over.length) {
        const top = over.includes(chosen) ? chosen : over.at(-1);
        part.className = `span k${kinds.indexOf(top.label) % 9 + 1}${top.proposed ? " proposed" : ""}${over.includes(chosen) ? " chosen" : ""}${over.length > 1 ? " several" : ""}`;
        if (over.some((mark) => mark.end === end)) part.dataset.told = over.filter((mark) => mark.end === end).map((mark) => mark.label).join(", ");
      }
      if (from < to && from <= start && end <= to) part.classList.add("selected");
      parts.push(part);
    });
    place.replaceChildren(...parts);
    list.replaceChildren(...marks.map((mark) => {
      const line = document.createElement("li"), words = document.createElement("bdi"), kind = document.createElement("b");
      words.textContent = quote(mark);
      kind.textContent = mark.label;
      line.append(kind, " ", words, ` [${mark.start}, ${mark.end})`, mark.proposed ? ` (${t("proposed")})` : "");
      return line;
    }));
  }

  function choose(mark) {
    chosen = mark;
    if (mark) { anchor = mark.start; caret = mark.end; tell(`${mark.label}: ${quote(mark)}`); }
    draw();
  }

  function add(label) {
    tapped = null;
    const [start, end] = trimmed(...range());
    if (chosen && (chosen.start !== start || chosen.end !== end)) chosen = null;
    if (chosen) {
      if (chosen.label === label && !chosen.proposed) return;
      keep();
      Object.assign(chosen, { label, proposed: false });
    } else {
      if (start === end) { tell(t("Select some words first: with the mouse, with Shift and the arrow keys, or by tapping the first and the last.")); return; }
      if (marks.some((mark) => mark.start === start && mark.end === end && mark.label === label)) return;
      keep();
      if (!overlap) marks = marks.filter((mark) => mark.end <= start || end <= mark.start);
      chosen = { start, end, label, proposed: false };
      marks.push(chosen);
      [anchor, caret] = [start, end];
    }
    tell(t`Marked as ${label}: ${quote(chosen)}`);
    touch();
  }

  function trimmed(start, end) {
    while (start < end && !chars[start].trim()) start += 1;
    while (end > start && !chars[end - 1].trim()) end -= 1;
    return [start, end];
  }

  function remove() {
    if (!chosen) { tell(t("No mark is selected: choose one with the arrow keys up and down, or click it.")); return; }
    keep();
    tell(t`Mark taken away: ${quote(chosen)}`);
    marks = marks.filter((mark) => mark !== chosen);
    chosen = null;
    touch();
  }

  function undo() {
    const last = past.pop();
    if (!last) { tell(t("Nothing to undo here.")); return; }
    ({ marks, anchor, caret } = last);
    chosen = null;
    tell(t("Undone."));
    touch();
  }

  // By word to its beginning; what is selected ends with a word.
  function wordStops(forward, extend) {
    if (!extend || caret < anchor || (caret === anchor && !forward)) return words.starts;
    return [...words.ends, anchor].sort((a, b) => a - b);
  }

  function move(forward, byWord, extend) {
    const stops = byWord ? wordStops(forward, extend) : steps;
    let to = forward ? stops.find((at) => at > caret) : stops.findLast((at) => at < caret);
    if (!extend && !byWord && anchor !== caret) to = range()[forward ? 1 : 0];
    caret = to ?? (forward ? chars.length : 0);
    if (extend && chosen && caret > chosen.start) return stretch();
    if (!extend) anchor = caret;
    chosen = null;
    draw();
  }

  // A selected mark is made longer or shorter at its end.
  function stretch() {
    const others = marks.filter((mark) => mark !== chosen);
    if (!overlap && others.some((mark) => mark.start < caret && chosen.start < mark.end)) { caret = chosen.end; tell(t("Marks may not overlap here.")); return; }
    keep();
    Object.assign(chosen, { end: caret, proposed: false });
    anchor = chosen.start;
    touch();
  }

  function next(step) {
    if (!marks.length) { tell(t("There is no mark.")); return; }
    const at = chosen ? marks.indexOf(chosen) + step : step > 0 ? marks.findIndex((mark) => mark.end >= caret) : marks.findLastIndex((mark) => mark.start <= caret);
    choose(marks[((at % marks.length) + marks.length) % marks.length]);
  }

  // A place of the DOM in code points; within a pair of surrogates, before it.
  function placeOf(node, offset) {
    const probe = document.createRange();
    probe.setStart(place, 0);
    probe.setEnd(node, offset);
    const words = probe.toString();
    return points(/[\ud800-\udbff]$/.test(words) ? words.slice(0, -1) : words);
  }

  function taken() {
    const selection = document.getSelection();
    if (!selection.rangeCount || !place.contains(selection.anchorNode) || !place.contains(selection.focusNode)) return;
    anchor = placeOf(selection.anchorNode, selection.anchorOffset);
    caret = placeOf(selection.focusNode, selection.focusOffset);
    selection.removeAllRanges();
    const [start, end] = range();
    if (start === end) choose(marks.findLast((mark) => mark.start <= start && start < mark.end) || null);
    else { chosen = marks.find((mark) => mark.start === start && mark.end === end) || null; draw(); }
    place.focus({ preventScroll: true });
  }

  // A finger selects from the first word that it taps to the second.
  function tap(event) {
    const at = document.caretPositionFromPoint?.(event.clientX, event.clientY), old = at ? null : document.caretRangeFromPoint?.(event.clientX, event.clientY);
    const node = at?.offsetNode || old?.startContainer;
    if (!node || !place.contains(node)) return;
    const here = placeOf(node, at ? at.offset : old.startOffset), mark = marks.findLast((one) => one.start <= here && here < one.end);
    if (mark && !tapped) { choose(mark); return; }
    const word = [words.starts.findLast((start) => start <= here) ?? 0, words.ends.find((end) => end >= here) ?? chars.length];
    chosen = null;
    [anchor, caret] = tapped ? [Math.min(tapped[0], word[0]), Math.max(tapped[1], word[1])] : word;
    tapped = tapped ? null : word;
    tell(tapped ? t("Tap the last word, or say at once what this one is.") : t("Selected; say what it is."));
    draw();
  }
  place.addEventListener("pointerdown", (event) => { touched = event.pointerType === "touch"; });
  place.addEventListener("click", (event) => { if (touched) tap(event); });
  place.addEventListener("mouseup", () => { if (!touched) setTimeout(taken); });
  for (const button of all(root, "[data-kind]")) button.addEventListener("click", () => { add(button.dataset.kind); place.focus({ preventScroll: true }); });
  for (const [name, does] of [["remove", remove], ["undo", undo]]) root.querySelector(`[data-marks=${name}]`).addEventListener("click", () => { does(); place.focus({ preventScroll: true }); });

  const rtl = () => getComputedStyle(place).direction === "rtl";

  // Tells whether a key was meant for the marks.
  function key(event, pressed) {
    const byWord = event.ctrlKey || event.altKey;
    if (/^[1-9]$/.test(pressed) && kinds[pressed - 1] && !byWord) add(kinds[pressed - 1]);
    else if (pressed === "ArrowLeft" || pressed === "ArrowRight") move((pressed === "ArrowRight") !== rtl(), byWord, event.shiftKey);
    else if (pressed === "ArrowDown" || pressed === "ArrowUp") next(pressed === "ArrowDown" ? 1 : -1);
    else if (pressed === "Home" || pressed === "End") { caret = pressed === "Home" ? 0 : chars.length; if (!event.shiftKey) anchor = caret; chosen = null; draw(); }
    else if (pressed === "Delete") remove();
    else if (pressed === "z" && !event.altKey) undo();
    else return false;
    return true;
  }

  draw();
  return {
    key,
    spans: () => marks.map(({ start, end, label }) => ({ start, end, label })),
    changed: () => spell(marks) !== before,
    accept: () => { if (spell(marks) !== before) { keep(); marks = there.map((mark) => ({ ...mark, proposed: dashed })); chosen = null; touch(); } },
    fill: (spans) => { marks = spans.map((mark) => ({ ...mark, proposed: JSON.parse(before).some((one) => one[0] === mark.start && one[1] === mark.end && one[2] === mark.label) })); draw(); },
  };
}
