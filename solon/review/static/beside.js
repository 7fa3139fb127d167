// What is opened beside an item: the keys, the settings, the guidelines. It is fetched where somebody asks for it first;
// the page hands in what is its own: settings, requests, the dialog.
import { DEFAULT_KEYS, PAIR, SINGLE, keyName, same } from "./keys.js";
import { t } from "./texts.js";

const NAMES = {
  first: t("Answer 1 is better"), second: t("Answer 2 is better"), accept: t("Accept (single)"), reject: t("Reject (single)"), send: t("Send"),
  tie: t("Tie"), both_bad: t("Both bad"), edit: t("Edit"), take: t("Take the proposed fix"), redraft: t("Redraft with guidance"), skip: t("Skip"), decline: t("Decline"),
  escalate: t("Hand to a lead"), principle: t("Cite a principle"), diff: t("Diff"), next: t("Next difference"),
  source: t("Source: the exact characters"), page: t("A page down (with Shift: up)"), down: t("Some lines down"), up: t("Some lines up"),
  together: t("Both answers scroll together, or one"), strength: t("How clear it was"), flag: t("Flag the first answer, then the second"),
  evidence: t("Mark words of the first answer, then of the second"), fields: t("The form's fields"), find: t("Find a label"), undo: t("Undo the last answer"),
  why: t("Why was the last one here?"), check: t("Check my answer"), guidelines: t("Guidelines"), help: t("This list"),
};
const NAMED = /^(Arrow(Left|Right|Up|Down)|Enter|Home|End|Page(Up|Down)|Insert|Delete|F\d\d?|Backspace|Tab|Escape)$/;

function text(words) { const p = document.createElement("p"); p.textContent = words; return p; }

// What is wrong with keys of one's own: one key for two actions that are there at once, or one that may not be used.
function clash(keys) {
  const taken = {};
  for (const action of Object.keys(DEFAULT_KEYS)) {
    for (const key of keys[action] ? [keys[action]] : DEFAULT_KEYS[action]) {
      if (key.length > 1 && !NAMED.test(key)) return t`${NAMES[action]}: write one character, or the name of a key such as F2 or Home.`;
      if (["Backspace", "Tab", "Escape"].includes(key)) return t`${NAMES[action]}: ${key} cannot be used.`;
      const others = (taken[same(key)] ||= []);
      const other = others.find((one) => !((PAIR.includes(one) && SINGLE.includes(action)) || (SINGLE.includes(one) && PAIR.includes(action))));
      if (other) return t`${key} would do both "${NAMES[other]}" and "${NAMES[action]}".`;
      others.push(action);
    }
  }
  return "";
}

export function help({ settings, openDialog }) {
  const body = document.createElement("div"), list = document.createElement("div");
  body.append(text(settings.keys_on ? t("Keys work outside text fields. Ctrl+Enter sends from inside one, Esc leaves it.") : t("Keys are switched off; see Settings.")));
  list.className = "keys";
  for (const [action, name] of Object.entries(NAMES)) {
    const line = document.createElement("div"), key = document.createElement("kbd");
    key.textContent = keyName(action, settings);
    line.append(name, key);
    list.append(line);
  }
  body.append(list, text(t("1 to 5 give scores where an answer stands alone; the arrows up and down change the criterion.")));
  openDialog(t("Keys"), body);
}

export function openSettings({ settings, call, openDialog, showKeys, say, dialog }) {
  const form = document.createElement("form");
  const flag = (name, told) => { const l = document.createElement("label"), i = document.createElement("input"); i.type = "checkbox"; i.name = name; i.checked = settings[name]; l.append(i, " " + told); const p = document.createElement("p"); p.append(l); return p; };
  const number = (name, told) => { const l = document.createElement("label"), i = document.createElement("input"); i.type = "number"; i.min = 0; i.max = 480; i.name = name; i.value = settings[name]; l.append(told + " ", i); const p = document.createElement("p"); p.append(l); return p; };
  form.append(flag("keys_on", t("Keys work")), flag("send_at_once", t("A choice sends at once")), flag("together", t("Both answers scroll together")), flag("mails", t("Mail me once a day how much waits, where my address is known")), number("lock_minutes", t("Cover the text after idle minutes (0: never)")), number("session_minutes", t("Remind me of a break after minutes (0: never)")));
  const keys = document.createElement("div");
  keys.className = "keys";
  for (const [action, name] of Object.entries(NAMES)) {
    const line = document.createElement("div"), l = document.createElement("label"), i = document.createElement("input");
    i.dataset.action = action; i.value = settings.keys[action] || ""; i.placeholder = DEFAULT_KEYS[action][0]; i.maxLength = 12; if (i.placeholder === " ") i.placeholder = t("Space"); i.id = "key-" + action; l.htmlFor = i.id; l.textContent = name;
    line.append(l, i); keys.append(line);
  }
  const save = document.createElement("button"), problem = text("");
  save.className = "send"; save.textContent = t("Save"); problem.className = "bad"; problem.setAttribute("role", "alert");
  form.append(text(t("Keys (empty: as it was)")), keys, problem, save);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = { ...settings, keys: {} };
    for (const input of form.querySelectorAll("input[data-action]")) if (input.value.trim()) wanted.keys[input.dataset.action] = input.value.trim();
    for (const input of form.querySelectorAll("input[name]")) wanted[input.name] = input.type === "checkbox" ? input.checked : Number(input.value);
    const wrong = clash(wanted.keys);
    if (wrong) { problem.textContent = wrong; return; }
    try { Object.assign(settings, await call("PUT", "/api/v1/me/settings", wanted)); showKeys(document); dialog.close(); say(t("Settings saved.")); } catch (error) { problem.textContent = error.message; }
  });
  openDialog(t("Settings"), form);
}

function principles(all) {
  const list = document.createElement("ol");
  list.className = "principles-list";
  for (const principle of all) {
    const line = document.createElement("li"), id = document.createElement("b");
    id.textContent = principle.id;
    line.append(id, " " + principle.text);
    list.append(line);
  }
  return list;
}

const heading = (level, words) => Object.assign(document.createElement(level), { textContent: words });

function wordsOf(found) {
  const words = document.createElement("div");
  words.className = "text";
  words.innerHTML = found.html;   // rendered and cleaned by the server
  return words;
}

// What a new expert reads and acknowledges, as elements.
export async function toAcknowledge({ call }, read, failed) {
  const found = await call("GET", "/api/v1/guidelines"), button = document.createElement("button"), parts = [wordsOf(found)];
  for (const law of found.constitutions) parts.push(heading("h2", `${law.name} ${law.version}`), principles(law.document.principles || []));
  button.className = "send";
  button.textContent = t("I have read this");
  button.addEventListener("click", async () => { try { await call("POST", "/api/v1/guidelines/acknowledge", {}); read(); } catch (error) { failed(error); } });
  return [...parts, button];
}

export async function guidelinesOf({ call }, item) {
  const found = await call("GET", "/api/v1/guidelines"), body = document.createElement("div");
  body.append(wordsOf(found));
  const part = (title, all) => body.append(heading("h3", title), principles(all));
  if (item) part(t`Constitution of this item: ${item.constitution}`, item.principles);
  else for (const law of found.constitutions) part(t`Constitution in force: ${law.name} ${law.version}`, law.document.principles || []);
  return body;
}

const REMARKS = { contradiction: t("Your reason may speak for another answer"), principle: t("A principle may speak against it"), precedent: t("An earlier decision may speak against it"), missing_reason: t("Your reason may leave out what decides") };

// What a model noticed in an answer before it is sent.
export function listRemarks(found) {
  const list = document.createElement("ul");
  for (const one of found) {
    const line = document.createElement("li");
    line.dir = "auto";
    line.textContent = `${REMARKS[one.kind] || one.kind}: ${one.text}${one.cites.length ? ` (${one.cites.join(", ")})` : ""}`;   // a model's words, as text only
    list.append(line);
  }
  return list;
}
