// The answer's form: what is chosen and typed, as the API wants it, and back.
import { call } from "./net.js";
import { t } from "./texts.js";

const all = (view, selector) => [...view.root.querySelectorAll(selector)];
const one = (view, selector) => view.root.querySelector(selector);
const FIELD = { edit: "text", redraft: "guidance", decline: "reason", both_bad: "rationale", write: "text", all_bad: "rationale", escalate: "rationale" };
const ASIDE = ["skip", "decline", "escalate"];
const TYPED = ["text", "guidance", "rationale", "reason", "proposal"];

export function pick(view, choice, candidate, quietly = false) {
  const known = [...view.item.choices, ...ASIDE];
  if (!known.includes(choice)) return false;
  if (ASIDE.includes(choice) && view.choice && !ASIDE.includes(view.choice)) view.leaning = leaningOf(view);
  view.choice = choice;
  view.candidate = choice === "prefer" ? candidate : null;
  for (const button of all(view, ".choice")) {
    const on = button.dataset.choice === choice && (choice !== "prefer" || button.dataset.candidate === candidate);
    button.setAttribute("aria-pressed", String(on));
  }
  for (const section of all(view, ".candidate")) section.classList.toggle("picked", choice === "prefer" && section.dataset.candidate === candidate);
  for (const part of all(view, ".more")) part.hidden = part.dataset.for !== choice;
  if (choice === "edit") prepareEdit(view);
  const name = all(view, ".choice[aria-pressed=true]")[0]?.cloneNode(true);
  name?.querySelectorAll("kbd").forEach((key) => key.remove());
  const told = name?.textContent.trim() || "";
  one(view, ".chosen").textContent = choice === "escalate" && view.leaning ? t`${told}, with your answer` : told;
  const field = FIELD[choice] && one(view, `[name=${FIELD[choice]}]`);
  if (field && !quietly) field.focus();
  return true;
}

// Takes a choice back that no longer says what is on screen.
export function unpick(view) {
  view.choice = null;
  for (const button of all(view, ".choice")) button.setAttribute("aria-pressed", "false");
  for (const part of all(view, ".more")) part.hidden = true;
  one(view, ".chosen").textContent = "";
}

// What was chosen before the item is handed over goes along as a vote, where it is whole. The words go with the item.
function leaningOf(view) {
  const { rationale, proposal, ...answer } = readAnswer(view);
  return problemOf(view, { ...answer, rationale: "said" }) ? undefined : answer;
}

const RTL = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
const drawn = (text) => call("POST", "/page/preview", { text }, "text");

function prepareEdit(view) {
  const field = one(view, "[name=text]"), radios = all(view, "[name=edited][type=radio]");
  const fill = (id) => {
    const own = view.item.candidates.find((candidate) => candidate.id === id);
    const untouched = view.item.candidates.some((candidate) => candidate.text === field.value);
    if (own && (!field.value || untouched)) field.value = own.text;
  };
  for (const radio of radios) radio.onchange = () => fill(radio.value);
  if (view.item.candidates.some((one) => RTL.test(one.text))) import("/static/preview.js").then((at) => at.preview(field, drawn)).catch(() => {});
  if (radios.length && !radios.some((radio) => radio.checked)) radios[0].checked = true;
  fill(edited(view));
}

const edited = (view) => (one(view, "[name=edited]:checked") || one(view, "[name=edited]"))?.value;
const typed = (view, name) => one(view, `[name=${name}]`)?.value || "";

export function readAnswer(view) {
  const answer = {};
  const put = (name, value) => { if (value) answer[name] = value; };
  put("choice", view.choice);
  if (view.marker && !ASIDE.includes(view.choice)) Object.assign(answer, view.marker.changed() ? { choice: "changed", spans: view.marker.spans() } : { choice: "stands" });
  put("rationale", typed(view, "rationale").trim());
  if (view.choice === "decline") put("reason", typed(view, "reason"));
  if (view.choice === "escalate") put("vote", view.leaning);   // what was chosen before it was handed over
  if (ASIDE.includes(view.choice)) return answer;
  if (view.choice === "prefer") { put("candidate", view.candidate); put("strength", Number(one(view, "[name=strength]:checked")?.value || 0)); }
  if (view.choice === "rank") put("ranking", view.ranker?.ranking());
  if (view.choice === "edit") put("candidate", edited(view));
  if (["edit", "write"].includes(view.choice)) put("text", typed(view, "text"));
  if (["redraft", "go_on"].includes(view.choice)) put("guidance", typed(view, "guidance"));
  put("proposal", typed(view, "proposal").trim());
  const cited = all(view, "[name=principle]:checked").map((box) => box.value);
  if (cited.length) answer.principles = cited;
  const flags = {};
  for (const flag of all(view, "[name=flag]:checked")) (flags[flag.dataset.candidate] ||= []).push(flag.value);
  if (Object.keys(flags).length) answer.flags = flags;
  const evidence = (view.evidence || []).filter(({ candidate, flag }) => !flag || flags[candidate]?.includes(flag));
  if (evidence.length) answer.evidence = evidence;
  const scores = {};
  for (const group of all(view, ".criterion")) { const score = group.querySelector("input:checked"); if (score) scores[group.dataset.criterion] = Number(score.value); }
  if (Object.keys(scores).length) answer.scores = scores;
  for (const field of fields(view)) { const value = fieldValue(field); if (value !== undefined) answer[field.dataset.field] = value; }
  return answer;
}

// What is kept as a draft: the answer as it stands, and what was typed for another choice.
export function readDraft(view) {
  const typedIn = {};
  for (const name of TYPED) if (typed(view, name)) typedIn[name] = typed(view, name);
  return { ...typedIn, ...readAnswer(view) };
}

const fields = (view) => all(view, "[data-field]");

function fieldValue(field) {
  if (field.dataset.type === "boolean") return field.checked;
  const words = field.value.trim();
  if (field.dataset.type === "array") return words ? words.split("\n").map((line) => line.trim()).filter(Boolean) : field.defaultValue ? [] : undefined;
  if (!words) return undefined;
  return ["integer", "number"].includes(field.dataset.type) ? Number(words) : words;
}

function fillField(field, value) {
  if (value === undefined || value === null) return;
  if (field.dataset.type === "boolean") field.checked = Boolean(value);
  else field.value = Array.isArray(value) ? value.join("\n") : String(value);
}

export function fillAnswer(view, answer) {
  for (const name of TYPED) { const field = one(view, `[name=${name}]`); if (field && answer[name]) field.value = answer[name]; }
  const check = (selector) => { const field = one(view, selector); if (field) field.checked = true; };
  if (answer.choice === "edit" && answer.candidate) check(`[name=edited][value="${CSS.escape(answer.candidate)}"][type=radio]`);
  if (answer.strength) check(`[name=strength][value="${Number(answer.strength)}"]`);
  for (const id of answer.principles || []) check(`[name=principle][value="${CSS.escape(id)}"]`);
  for (const [candidate, flags] of Object.entries(answer.flags || {})) for (const flag of flags) check(`[name=flag][data-candidate="${CSS.escape(candidate)}"][value="${CSS.escape(flag)}"]`);
  for (const [id, score] of Object.entries(answer.scores || {})) check(`[data-criterion="${CSS.escape(id)}"] [value="${Number(score)}"]`);
  for (const field of fields(view)) fillField(field, answer[field.dataset.field]);
  if (view.marker && answer.spans) view.marker.fill(answer.spans);
  view.leaning = answer.vote;
  view.evidence = answer.evidence;
  markSet(view);
  if (answer.choice && answer.choice !== "changed") pick(view, answer.choice, answer.candidate, true);
}

// What lies folded away and is set is told outside.
export function markSet(view) {
  for (const flags of all(view, ".flags")) flags.classList.toggle("set", flags.querySelector("input:checked") !== null);
  const cited = all(view, "[name=principle]:checked").map((box) => box.value);
  one(view, ".cited").textContent = cited.length ? ": " + cited.join(", ") : "";
  const flags = all(view, "[name=flag]:checked").length, marks = (view.evidence || []).length;
  const whole = ({ dataset }) => (view.evidence || []).some((mark) => !mark.flag && mark.start === Number(dataset.start) && mark.end === Number(dataset.end));
  for (const turn of all(view, "[data-do=turn]")) turn.setAttribute("aria-pressed", whole(turn));
  one(view, ".along").textContent = [
    flags && (flags === 1 ? t("1 flag") : t`${flags} flags`), marks && (marks === 1 ? t("1 mark") : t`${marks} marks`),
    typed(view, "proposal").trim() && t("1 proposal"),
  ].filter(Boolean).join(", ");
}

export function problemOf(view, answer) {
  const wrong = (told, name) => ({ told, field: name ? one(view, `[name=${name}]`) : null });
  if (!answer.choice) return wrong(t("Choose an answer first."));
  if (answer.choice === "prefer" && !answer.candidate) return wrong(t("Choose which answer is better."));
  if (answer.choice === "rank" && !view.ranker?.complete()) return wrong(t("Give every answer a place."));
  if (["edit", "write"].includes(answer.choice) && !(answer.text || "").trim()) return wrong(t("Write the answer as it should be."), "text");
  if (answer.choice === "edit" && view.item.candidates.some((c) => c.id === answer.candidate && c.text === answer.text)) return wrong(t("The text is unchanged; change it, or choose another answer."), "text");
  if (answer.choice === "redraft" && !(answer.guidance || "").trim()) return wrong(t("Say what the new draft shall do."), "guidance");
  if (answer.choice === "decline" && !answer.reason) return wrong(t("Say why you cannot answer it."), "reason");
  const unfit = ASIDE.includes(answer.choice) ? null : problemOfFields(view, answer);
  if (unfit) return unfit;
  const said = answer.rationale || (answer.choice === "redraft" && answer.guidance);
  const needed = answer.choice === "escalate" || view.item.rationale_for.includes(answer.choice);
  if (needed && !said) return wrong(t("Say in a sentence why."), "rationale");
  return null;
}

// What is wrong with the first field of a form that is: it is empty, or its number is too high or too low.
function problemOfFields(view, answer) {
  for (const field of fields(view)) {
    const about = view.item.fields[field.dataset.field], name = about.title || field.dataset.field, value = answer[field.dataset.field];
    if (about.required && value === undefined) return { told: t`Fill in ${name}.`, field };
    if (about.maximum < value) return { told: t`${name}: ${about.maximum} is the most (${value} was given).`, field };
    if (about.minimum > value) return { told: t`${name}: ${about.minimum} is the least (${value} was given).`, field };
    if (about.type === "integer" && value % 1) return { told: t`${name}: write a whole number.`, field };
  }
  return null;
}

const groups = (view) => all(view, ".criterion");
function activate(view, index) { view.criterion = index; groups(view).forEach((group, i) => group.classList.toggle("active", i === index)); }

// Gives the marked criterion a score and moves on; what was done, in words, or nothing.
export function scoreActive(view, key) {
  if (!/^[1-5]$/.test(key)) return "";
  const index = view.criterion ?? 0, group = groups(view)[index];
  group.querySelector(`input[value="${key}"]`).checked = true;
  activate(view, Math.min(index + 1, groups(view).length - 1));
  return `${group.dataset.criterion}: ${key}`;
}

// The mark stands where a number key would score.
export function markCriterion(view) { if (groups(view).length) activate(view, view.criterion ?? 0); }

export function nextCriterion(view, key) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[key];
  if (!step) return false;
  activate(view, Math.max(0, Math.min(groups(view).length - 1, view.criterion + step)));
  return true;
}

// How clear it was, one step on; what it is now, in words.
export function nextStrength(view) {
  if (view.choice !== "prefer") return t("Say first which answer is better.");
  const steps = all(view, "[name=strength]"), next = steps.findIndex((step) => step.checked) + 1;
  steps.forEach((step, i) => { step.checked = i === next; });
  return steps[next] ? t`How clear: ${steps[next].parentNode.textContent.trim()}` : t("How clear: not said");
}

// The flags of the first answer, then of the next, then of the first again: a digit meant for a flag is never an answer.
export function nextFlags(view) {
  const flags = all(view, ".flags"), next = (flags.findIndex((one) => one.open) + 1) % flags.length;
  flags.forEach((one, i) => { one.open = i === next; });
  flags[next]?.querySelector("input").focus();
}

// Labels by their numbers, digit after digit, and by a part of their name.
export function labelsOf(view, choose) {
  const labels = all(view, ".choice.given"), find = one(view, ".find input");
  let typedSoFar = "";
  const take = (button, more) => { choose(button.dataset.choice, more); button.scrollIntoView({ block: "nearest" }); };
  const matching = () => labels.filter((label) => !label.hidden);
  find?.addEventListener("input", () => {
    const wanted = find.value.trim().toLowerCase();
    for (const label of labels) label.hidden = !label.lastChild.textContent.toLowerCase().includes(wanted);
  });
  return {
    digit(key) {
      const number = /^[0-9]$/.test(key) ? [typedSoFar + key, key].find((one) => labels[one - 1]) : undefined;
      typedSoFar = number || "";
      if (number) take(labels[number - 1], number * 10 <= labels.length);
      return Boolean(number);
    },
    first() {
      const found = find.value.trim() && matching()[0];
      if (!found) return false;
      find.value = "";
      for (const label of labels) label.hidden = false;
      take(found, false);
      return true;
    },
  };
}
