// Which key does what. Backspace is bound to nothing.
export const DEFAULT_KEYS = {
  first: ["1", "ArrowLeft"], second: ["2", "ArrowRight"], accept: ["a"], reject: ["n"], send: ["Enter"], tie: ["0", "="],
  both_bad: ["b"], edit: ["e"], redraft: ["r"], skip: ["s"], decline: ["c"], escalate: ["x"], principle: ["p"], diff: ["d"],
  undo: ["u"], why: ["w"], guidelines: ["g"], help: ["?"],
};
export const NAMES = {
  first: "Answer 1 is better", second: "Answer 2 is better", accept: "Accept (single)", reject: "Reject (single)", send: "Send",
  tie: "Tie", both_bad: "Both bad", edit: "Edit", redraft: "Redraft with guidance", skip: "Skip", decline: "Decline",
  escalate: "Hand to a lead", principle: "Cite a principle", diff: "Diff", undo: "Undo the last answer",
  why: "Why was the last one here?", guidelines: "Guidelines", help: "This list",
};
const PAIR = ["first", "second", "tie", "both_bad", "diff"], SINGLE = ["accept", "reject"];

export function keyName(action, settings) {
  const key = settings.keys[action] || DEFAULT_KEYS[action]?.[0] || "";
  return { ArrowLeft: "←", ArrowRight: "→", Enter: "Enter" }[key] || key;
}

export function actionOf(key, settings, single) {
  if (key === "Backspace") return null;
  const wanted = key.length === 1 ? key.toLowerCase() : key;
  for (const [action, keys] of Object.entries(DEFAULT_KEYS)) {
    if ((single ? PAIR : SINGLE).includes(action)) continue;
    const own = settings.keys[action];
    if (own ? own === key || own.toLowerCase() === wanted : keys.includes(wanted)) return action;
  }
  return null;
}
