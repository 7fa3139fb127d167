// The dialog over the page, the settings and keys that hold, and the line that tells what happened.
import { keyName } from "./keys.js";

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

export function showKeys(root) {
  for (const key of $$("kbd[data-key]", root)) key.textContent = settings.keys_on ? keyName(key.dataset.key, settings) : "";
}
