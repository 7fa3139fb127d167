// Which key does what. Backspace is bound to nothing.
export const DEFAULT_KEYS = {
  first: ["1", "ArrowLeft"], second: ["2", "ArrowRight"], accept: ["a"], reject: ["n"], send: ["Enter"], tie: ["0", "="],
  both_bad: ["b"], edit: ["e"], redraft: ["r"], skip: ["s"], decline: ["c"], escalate: ["x"], principle: ["p"], diff: ["d"],
  next: ["n"], source: ["o"], page: [" "], down: ["j"], up: ["k"], together: ["y"], strength: ["l"], flag: ["f"], fields: ["i"],
  find: ["/"], undo: ["u"], why: ["w"], guidelines: ["g"], help: ["?"],
};
export const NAMES = {
  first: "Answer 1 is better", second: "Answer 2 is better", accept: "Accept (single)", reject: "Reject (single)", send: "Send",
  tie: "Tie", both_bad: "Both bad", edit: "Edit", redraft: "Redraft with guidance", skip: "Skip", decline: "Decline",
  escalate: "Hand to a lead", principle: "Cite a principle", diff: "Diff", next: "Next difference",
  source: "Source: the exact characters", page: "A page down (with Shift: up)", down: "Some lines down", up: "Some lines up",
  together: "Both answers scroll together, or one", strength: "How clear it was", flag: "Flag the first answer, then the second",
  fields: "The form's fields", find: "Find a label", undo: "Undo the last answer",
  why: "Why was the last one here?", guidelines: "Guidelines", help: "This list",
};
const PAIR = ["first", "second", "tie", "both_bad", "diff", "next", "together"], SINGLE = ["accept", "reject"];

export function keyName(action, settings) {
  const key = settings.keys[action] || DEFAULT_KEYS[action]?.[0] || "";
  return { ArrowLeft: "←", ArrowRight: "→", " ": "Space" }[key] || key;
}

const NAMED = /^(Arrow(Left|Right|Up|Down)|Enter|Home|End|Page(Up|Down)|Insert|Delete|F\d\d?|Backspace|Tab|Escape)$/;
const same = (key) => (key.length === 1 ? key.toLowerCase() : key);

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

// What is wrong with keys of one's own: one key for two actions that are there at once, or one that may not be used.
export function clash(keys) {
  const taken = {};
  for (const action of Object.keys(DEFAULT_KEYS)) {
    for (const key of keys[action] ? [keys[action]] : DEFAULT_KEYS[action]) {
      if (key.length > 1 && !NAMED.test(key)) return `${NAMES[action]}: write one character, or the name of a key such as F2 or Home.`;
      if (["Backspace", "Tab", "Escape"].includes(key)) return `${NAMES[action]}: ${key} cannot be used.`;
      const others = (taken[same(key)] ||= []);
      const other = others.find((one) => !((PAIR.includes(one) && SINGLE.includes(action)) || (SINGLE.includes(one) && PAIR.includes(action))));
      if (other) return `${key} would do both "${NAMES[other]}" and "${NAMES[action]}".`;
      others.push(action);
    }
  }
  return "";
}
