// What is read beside an item: the guidelines with the constitution, one's own last answers; panes that scroll together.
import { call } from "./net.js";
import { text } from "./dialogs.js";

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
export async function toAcknowledge(read, failed) {
  const found = await call("GET", "/api/v1/guidelines"), button = document.createElement("button"), parts = [wordsOf(found)];
  for (const law of found.constitutions) parts.push(heading("h2", `${law.name} ${law.version}`), principles(law.document.principles || []));
  button.className = "send";
  button.textContent = "I have read this";
  button.addEventListener("click", async () => { try { await call("POST", "/api/v1/guidelines/acknowledge", {}); read(); } catch (error) { failed(error); } });
  return [...parts, button];
}

export async function guidelinesOf(item) {
  const found = await call("GET", "/api/v1/guidelines"), body = document.createElement("div");
  body.append(wordsOf(found));
  const part = (title, all) => body.append(heading("h3", title), principles(all));
  if (item) part(`Constitution of this item: ${item.constitution}`, item.principles);
  else for (const law of found.constitutions) part(`Constitution in force: ${law.name} ${law.version}`, law.document.principles || []);
  return body;
}

export async function ownAnswers(undo) {
  const list = document.createElement("ul");
  list.className = "answers";
  for (const one of await call("GET", "/api/v1/me/answers")) {
    const line = document.createElement("li"), told = document.createElement("span"), button = document.createElement("button");
    told.textContent = `${new Date(one.decided_at * 1000).toLocaleTimeString()} · ${one.choice.replace("_", " ")} · ${one.prompt}`;
    button.textContent = "Change";
    button.addEventListener("click", () => undo(one.decision));
    line.append(told, button);
    list.append(line);
  }
  return list.children.length ? list : text("No answers yet.");
}

export function scrollTogether(panes) {
  let leading = null;
  for (const pane of panes) {
    for (const lead of ["pointerenter", "focus", "touchstart"]) pane.addEventListener(lead, () => { leading = pane; }, { passive: true });
    pane.addEventListener("scroll", () => {
      if (leading && leading !== pane) return;
      const share = pane.scrollTop / Math.max(1, pane.scrollHeight - pane.clientHeight);
      for (const other of panes) if (other !== pane) other.scrollTop = share * (other.scrollHeight - other.clientHeight);
    }, { passive: true });
  }
}
