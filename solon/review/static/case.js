// A disagreement by keys: j and k go through the reviewers' answers, a digit settles it so, Enter sends, n goes on.
import { meant } from "./keys.js";
import { t } from "./texts.js";

const answers = [...document.querySelectorAll(".said .candidate")], form = document.querySelector("form.answer");
const writes = (field) => field.matches("textarea, select, input:not([type=radio])");
let at = -1;

function show(step) {
  at = Math.min(Math.max(at + step, 0), answers.length - 1);
  answers[at]?.focus();
}

function choose(number) {
  const choice = form?.querySelectorAll("input[name=choice]")[number - 1];
  if (!choice) return;
  choice.checked = true;
  goOn();
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

const on = document.dir === "rtl" ? -1 : 1;   // the way that ArrowRight goes
const ACTIONS = {
  j: () => show(1), ArrowRight: () => show(on), k: () => show(-1), ArrowLeft: () => show(-on),
  n: () => document.querySelector("#next-case")?.click(), w: () => form?.querySelector("#reason").focus(), Enter: send,
};

document.addEventListener("keydown", (event) => {
  const field = event.target, plain = !(event.ctrlKey || event.metaKey || event.altKey || event.isComposing);
  if (field.id === "reason" && event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); return; }
  if (field.matches("input, select") && field.dataset.field && event.key === "Enter") { event.preventDefault(); goOn(); return; }
  if ((field.id === "reason" || field.dataset.field) && event.key === "Escape") { field.blur(); return; }
  if (!plain || writes(field) || (field.matches("a, button, summary, [type=radio]") && /^(Enter|Arrow)/.test(event.key))) return;
  const key = meant(event, { keys: {} });
  const action = /^[1-9]$/.test(key) ? () => choose(Number(key)) : ACTIONS[key];
  if (action) { event.preventDefault(); action(); }
});
addEventListener("pageshow", () => { if (form) delete form.dataset.sent; });  // also when one comes back to the page
