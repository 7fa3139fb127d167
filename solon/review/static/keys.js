// Which key does what. Backspace is bound to nothing.
import { t } from "./texts.js";
const [BEFORE, AFTER] = document.dir === "rtl" ? ["ArrowRight", "ArrowLeft"] : ["ArrowLeft", "ArrowRight"];   // where the first answer stands
export const DEFAULT_KEYS = {
  first: ["1", BEFORE], second: ["2", AFTER], accept: ["a"], reject: ["n"], send: ["Enter"], tie: ["0", "="],
  both_bad: ["b"], edit: ["e"], take: ["t"], redraft: ["r"], skip: ["s"], decline: ["c"], escalate: ["x"], principle: ["p"], diff: ["d"],
  next: ["n"], source: ["o"], page: [" "], down: ["j"], up: ["k"], together: ["y"], strength: ["l"], flag: ["f"], evidence: ["m"], fields: ["i"],
  find: ["/"], undo: ["u"], why: ["w"], check: ["v"], guidelines: ["g"], help: ["?"],
};
export const PAIR = ["first", "second", "tie", "both_bad", "next", "together"];
export const SINGLE = ["accept", "reject", "take"];

export function keyName(action, settings) {
  const key = settings.keys[action] || DEFAULT_KEYS[action]?.[0] || "";
  return { ArrowLeft: "←", ArrowRight: "→", " ": t("Space") }[key] || key;
}

export const same = (key) => (key.length === 1 ? key.toLowerCase() : key);

// What was meant where the layout writes something else on that key: Cyrillic or Hebrew letters, digits behind Shift.
export function meant(event, settings) {
  if (event.shiftKey || event.key.length !== 1 || Object.values(settings.keys).some((key) => same(key) === same(event.key))) return event.key;
  const [, letter, digit] = /^(?:Key([A-Z])|(?:Digit|Numpad)(\d))$/.exec(event.code) || [];
  return digit || (letter && event.key > "\x7f" ? letter.toLowerCase() : event.key);
}

// What may be held down: nothing of it answers.
export const HELD = ["page", "down", "up", "next"];

// A key of one's own goes before a key that another action has by default.
export function actionOf(key, settings, single) {
  if (key === "Backspace") return null;
  const wanted = same(key), here = Object.keys(DEFAULT_KEYS).filter((action) => !(single ? PAIR : SINGLE).includes(action));
  const own = here.find((action) => settings.keys[action] && same(settings.keys[action]) === wanted);
  return own || here.find((action) => !settings.keys[action] && DEFAULT_KEYS[action].includes(wanted)) || null;
}
