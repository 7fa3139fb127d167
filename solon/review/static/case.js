// A disagreement by keys: those of the review page choose the answer, j and k go through what the reviewers said, Enter
// sends, and the key that skips goes on to the next one.
import { actionOf, keyName, meant } from "./keys.js";
import { t } from "./texts.js";

const answers = [...document.querySelectorAll(".said .candidate")], form = document.querySelector("form.answer");
const writes = (field) => field.matches("textarea, select, input:not([type=radio])");
const settings = JSON.parse(document.querySelector("#settings").textContent);
const single = !form?.querySelector("[data-do=first]");   // no pair
let at = -1;

for (const key of document.querySelectorAll("kbd[data-key]")) key.textContent = settings.keys_on ? keyName(key.dataset.key, settings) : "";

function show(step) {
  at = Math.min(Math.max(at + step, 0), answers.length - 1);
  answers[at]?.focus();
}

// What a key does here; a label is chosen by its digit.
function find(key) {
  const action = actionOf(key, settings, single);
  const choice = form?.querySelector(action ? `input[data-do=${action}]` : `input[data-label="${CSS.escape(key)}"]`);
  return choice ? () => { choice.checked = true; goOn(); } : ACTIONS[action];
}

// The first field that has to be filled in and is not; a question that is left contested has none.
function missing() {
  if (form.querySelector("[name=choice]:checked")?.value === "contested") return null;
  const empty = (part) => !part.querySelector("[type=radio]:checked")?.value && !part.querySelector("[data-field]").value.trim();
  return [...form.querySelectorAll("[data-required]")].find(empty);
}

function goOn() { (missing()?.querySelector("[data-field]") || form.querySelector("#reason")).focus(); }

// The whole form is checked by the browser, and sent once.
const send = () => { if (form && !form.dataset.sent) form.requestSubmit(); };
form?.addEventListener("submit", (event) => {
  const empty = missing();
  form.querySelector(".problem").textContent = empty ? t`Fill in ${empty.dataset.required}.` : "";
  if (!empty) { form.dataset.sent = "yes"; return; }
  event.preventDefault();
  goOn();
});
if (form?.querySelector(".problem").textContent) goOn();   // what was sent could not be taken

const ACTIONS = {
  down: () => show(1), up: () => show(-1), skip: () => document.querySelector("#next-case")?.click(), send,
};

document.addEventListener("keydown", (event) => {
  const field = event.target, plain = !(event.ctrlKey || event.metaKey || event.altKey || event.isComposing);
  if (field.id === "reason" && event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); return; }
  if (field.matches("input, select") && field.dataset.field && event.key === "Enter") { event.preventDefault(); goOn(); return; }
  if ((field.id === "reason" || field.dataset.field) && event.key === "Escape") { field.blur(); return; }
  if (!settings.keys_on || !plain || writes(field) || (field.matches("a, button, summary, [type=radio]") && /^(Enter|Arrow)/.test(event.key))) return;
  const action = find(meant(event, settings));
  if (action) { event.preventDefault(); action(); }
});
addEventListener("pageshow", () => { if (form) delete form.dataset.sent; });  // also when one comes back to the page
