// The words of an answer that a flag is about, or that decided: marked in its exact text, as spans are. It is fetched where
// somebody marks some.
import { marker } from "./marks.js";
import { t } from "./texts.js";

const KINDS = { unsafe: t("unsafe"), factually_wrong: t("factually wrong"), outdated: t("outdated"), personal_data: t("personal data"), reason: t("reason") };
const wordOf = (flag) => KINDS[flag || "reason"];
const flagOf = (word) => Object.keys(KINDS).find((flag) => flag !== "reason" && KINDS[flag] === word) || null;

function made(tag, facts, ...parts) {
  const one = Object.assign(document.createElement(tag), facts);
  one.append(...parts);
  return one;
}

// What stands in an answer's place while its words are marked.
function place(close) {
  const kinds = made("p", { className: "kinds" }), root = made("div", { className: "marking" });
  Object.values(KINDS).forEach((kind, i) => {
    const button = made("button", { type: "button", className: `span k${i + 1}` }, made("kbd", { textContent: i + 1 }), ` ${kind}`);
    button.dataset.kind = kind;
    kinds.append(button, " ");
  });
  const apart = made("span", { className: "apart" });
  for (const [what, key, told] of [["remove", "Delete", t("Take away")], ["undo", "z", t("Undo a mark")]]) {
    const button = made("button", { type: "button", className: "quiet" }, made("kbd", { textContent: key }), ` ${told}`);
    button.dataset.marks = what;
    apart.append(button);
  }
  apart.append(made("button", { type: "button", className: "quiet", onclick: close }, made("kbd", { textContent: "Esc" }), ` ${t("Done")}`));
  kinds.append(apart);
  const text = made("div", { className: "marked text", tabIndex: 0, dir: "auto" });
  text.setAttribute("role", "application");
  text.setAttribute("aria-label", t("Text to mark; select words with Shift and the arrow keys, then press the digit of a flag, or of reason"));
  const said = made("p", { className: "marked-said visually-hidden" });
  said.setAttribute("role", "status");
  root.dataset.overlap = "yes";
  root.append(kinds, text, made("p", { className: "hint", textContent: t("Select words with the mouse, with Shift and the arrow keys (Ctrl: by word), or tap the first word and then the last; then say what they show.") }), said, made("ul", { className: "marks visually-hidden" }));
  return root;
}

const LETTERS = /[\p{L}\p{N}]/u;

// The letters and digits of a text, and the place of each: its drawing adds and drops other signs only.
function lettersOf(text) {
  const places = [];
  let letters = "";
  for (let at = 0; at < text.length; at += 1) if (LETTERS.test(text[at])) { letters += text[at]; places.push(at); }
  return { letters, places };
}

function placesOf(letters, words) {
  const found = [];
  for (let at = letters.indexOf(words); words && at >= 0; at = letters.indexOf(words, at + 1)) found.push(at);
  return found;
}

// Marks words in an answer as it is read, without touching it. Where the browser cannot, or the words are not found,
// nothing is marked.
export function draw(view) {
  if (!globalThis.CSS?.highlights) return;
  const ranges = (view.evidence || []).map((told) => {
    const own = view.item.candidates.find((one) => one.id === told.candidate), chars = own && Array.from(own.text);
    const root = view.root.querySelector(`[data-candidate="${CSS.escape(told.candidate)}"] > .text`);
    if (!root || !own) return null;
    const letters = (from, to) => lettersOf(chars.slice(from, to).join("")).letters;
    const words = letters(told.start, told.end), before = placesOf(letters(0, told.end), words).length - 1;
    const nodes = [], walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) nodes.push(walker.currentNode);
    const drawn = lettersOf(nodes.map((node) => node.data).join("")), at = placesOf(drawn.letters, words)[before];
    if (at === undefined) return null;
    const range = document.createRange(), end = drawn.places[at + words.length - 1] + 1;
    let passed = 0;
    for (const node of nodes) {
      const here = (place) => place - passed;
      if (here(drawn.places[at]) >= 0 && here(drawn.places[at]) < node.length) range.setStart(node, here(drawn.places[at]));
      if (here(end) > 0 && here(end) <= node.length) { range.setEnd(node, here(end)); break; }
      passed += node.length;
    }
    return range;
  });
  CSS.highlights.set("evidence", new Highlight(...ranges.filter(Boolean)));
}

// Opens the marking of an answer: of `wanted`, else of the one after that which is open. What is marked stands in
// `view.evidence`, and `changed` is called after each change.
export function mark(view, wanted, changed, listen) {
  const sections = [...view.root.querySelectorAll(".candidate[data-candidate]")];
  const next = (sections.findIndex((one) => one.querySelector(".marking")) + 1) % sections.length;
  closeMarking(view);
  for (const flags of view.root.querySelectorAll(".flags")) flags.open = false;
  const section = wanted || sections[next], id = section.dataset.candidate, own = view.item.candidates.find((one) => one.id === id);
  const close = () => { closeMarking(view); view.root.focus({ preventScroll: true }); };
  const root = place(close);
  section.classList.add("being-marked");
  section.append(root);
  const kept = (view.evidence ||= []);
  const one = marker(section, own.text, kept.filter((told) => told.candidate === id).map(({ start, end, flag }) => ({ start, end, label: wordOf(flag) })), () => {
    const told = one.spans().map(({ start, end, label }) => ({ candidate: id, start, end, flag: flagOf(label) }));
    view.evidence = [...view.evidence.filter((other) => other.candidate !== id), ...told];
    for (const { flag } of told) if (flag) section.querySelector(`[name=flag][value="${flag}"]`).checked = true;
    changed();
    draw(view);
  }, false);
  listen(one, root, close);
  root.querySelector(".marked").focus({ preventScroll: true });
}

function closeMarking(view) {
  for (const section of view.root.querySelectorAll(".being-marked")) {
    section.classList.remove("being-marked");
    section.querySelector(".marking").remove();
  }
}
