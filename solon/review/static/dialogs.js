// What opens over the page: dialogs, the list of keys, the settings; and the line that tells what happened.
import { call } from "./net.js";
import { DEFAULT_KEYS, NAMES, clash, keyName } from "./keys.js";

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
export const settings = JSON.parse($("#settings").textContent);
export const dialog = $("#dialog");
export function say(words) { $("#said").textContent = words; }

export function openDialog(title, content) {
  $("#dialog-title").textContent = title;
  if (typeof content === "string") $("#dialog-body").innerHTML = content; else $("#dialog-body").replaceChildren(content);
  if (!dialog.open && $("#cover")?.hidden !== false) dialog.showModal();   // never over the cover
}

export function text(words) { const p = document.createElement("p"); p.textContent = words; return p; }

export function help() {
  const body = document.createElement("div"), list = document.createElement("div");
  body.append(text(settings.keys_on ? "Keys work outside text fields. Ctrl+Enter sends from inside one, Esc leaves it." : "Keys are switched off; see Settings."));
  list.className = "keys";
  for (const [action, name] of Object.entries(NAMES)) {
    const line = document.createElement("div"), key = document.createElement("kbd");
    key.textContent = keyName(action, settings);
    line.append(name, key);
    list.append(line);
  }
  body.append(list, text("1 to 5 give scores where an answer stands alone; the arrows up and down change the criterion."));
  openDialog("Keys", body);
}

export function openSettings() {
  const form = document.createElement("form");
  const flag = (name, told) => { const l = document.createElement("label"), i = document.createElement("input"); i.type = "checkbox"; i.name = name; i.checked = settings[name]; l.append(i, " " + told); const p = document.createElement("p"); p.append(l); return p; };
  const number = (name, told) => { const l = document.createElement("label"), i = document.createElement("input"); i.type = "number"; i.min = 0; i.max = 480; i.name = name; i.value = settings[name]; l.append(told + " ", i); const p = document.createElement("p"); p.append(l); return p; };
  form.append(flag("keys_on", "Keys work"), flag("send_at_once", "A choice sends at once"), flag("together", "Both answers scroll together"), flag("mails", "Mail me once a day how much waits, where my address is known"), number("lock_minutes", "Cover the text after idle minutes (0: never)"), number("session_minutes", "Remind me of a break after minutes (0: never)"));
  const keys = document.createElement("div");
  keys.className = "keys";
  for (const [action, name] of Object.entries(NAMES)) {
    const line = document.createElement("div"), l = document.createElement("label"), i = document.createElement("input");
    i.dataset.action = action; i.value = settings.keys[action] || ""; i.placeholder = DEFAULT_KEYS[action][0]; i.maxLength = 12; if (i.placeholder === " ") i.placeholder = "Space"; i.id = "key-" + action; l.htmlFor = i.id; l.textContent = name;
    line.append(l, i); keys.append(line);
  }
  const save = document.createElement("button"), problem = text("");
  save.className = "send"; save.textContent = "Save"; problem.className = "bad"; problem.setAttribute("role", "alert");
  form.append(text("Keys (empty: as it was)"), keys, problem, save);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = { ...settings, keys: {} };
    for (const input of form.querySelectorAll("input[data-action]")) if (input.value.trim()) wanted.keys[input.dataset.action] = input.value.trim();
    for (const input of form.querySelectorAll("input[name]")) wanted[input.name] = input.type === "checkbox" ? input.checked : Number(input.value);
    const wrong = clash(wanted.keys);
    if (wrong) { problem.textContent = wrong; return; }
    try { Object.assign(settings, await call("PUT", "/api/v1/me/settings", wanted)); showKeys(document); dialog.close(); say("Settings saved."); } catch (error) { problem.textContent = error.message; }
  });
  openDialog("Settings", form);
}

export function showKeys(root) {
  for (const key of $$("kbd[data-key]", root)) key.textContent = settings.keys_on ? keyName(key.dataset.key, settings) : "";
}
