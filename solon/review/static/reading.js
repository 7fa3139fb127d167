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

// Panes that scroll by key from where one stands, together where that is wanted. The pane under the pointer leads.
export function scroller(panes, together) {
  const long = (pane) => pane.scrollHeight > pane.clientHeight + 1;
  let leading = null;
  for (const pane of panes) {
    for (const lead of ["pointerenter", "focus", "touchstart"]) pane.addEventListener(lead, () => { leading = pane; }, { passive: true });
    pane.addEventListener("scroll", () => {
      if (leading !== pane || !together()) return;
      const share = pane.scrollTop / Math.max(1, pane.scrollHeight - pane.clientHeight);
      for (const other of panes) if (other !== pane) other.scrollTop = share * (other.scrollHeight - other.clientHeight);
    }, { passive: true });
  }
  return {
    // By lines, or by most of what is seen; where nothing is longer than its pane, the page moves.
    move(lines, pages) {
      if (!leading || (together() && !long(leading))) leading = panes.find(long) || leading;
      const pane = leading && long(leading) ? leading : null, seen = pane ? pane.clientHeight : innerHeight;
      (pane || window).scrollBy(0, lines * 48 + pages * (seen - 60));
    },
    // Each pane to a place of its own.
    show(places) {
      leading = null;
      places.forEach((place, i) => {
        if (!place) return;
        const pane = panes[i];
        if (long(pane)) pane.scrollTop += place.getBoundingClientRect().top - pane.getBoundingClientRect().top - pane.clientHeight / 3;
        else place.scrollIntoView({ block: "nearest" });
      });
    },
  };
}

const elements = (html) => { const parts = document.createElement("template"); parts.innerHTML = html; return parts.content; };   // rendered and cleaned by the server

// The same texts seen in another way: as a diff, or as their exact characters. Every button stays where it is.
export function otherViews(root, together) {
  const made = { text: Object.fromEntries([...root.querySelectorAll("[data-text]")].map((one) => [one.dataset.text, one])) };
  const names = Object.keys(made.text), seen = (name) => made[mode][name] || made.text[name];
  let mode = "text", at = 0, told = null, scrolling = null;

  function turn(to) {
    const shares = names.map((name) => seen(name).scrollTop / Math.max(1, seen(name).scrollHeight - seen(name).clientHeight));
    mode = to;
    for (const name of names) for (const way of Object.values(made)) if (way[name]) way[name].hidden = way[name] !== seen(name);
    if (told) told.hidden = to !== "diff";
    for (const button of root.querySelectorAll("[data-do=diff], [data-do=source]")) button.setAttribute("aria-pressed", String(button.dataset.do === to));
    names.forEach((name, i) => { seen(name).scrollTop = shares[i] * (seen(name).scrollHeight - seen(name).clientHeight); });   // where one stood
    scrolling = scroller(names.map(seen).filter((one) => one.classList.contains("scroll")), together);
  }

  async function see(kind, path) {
    if (!made[kind]) {
      const parts = elements(await call("GET", path, undefined, "text")), note = parts.querySelector(".compared");
      if (note) root.querySelector(".candidates").before(told = note);
      made[kind] = Object.fromEntries([...parts.querySelectorAll("[data-of]")].map((one) => [one.dataset.of, one]));
      for (const name of names) if (made[kind][name]) made.text[name].after(made[kind][name]);
    }
    turn(kind);
  }

  turn("text");
  return {
    see: (kind, path) => (mode === kind ? turn("text") : see(kind, path)),
    move: (lines, pages) => scrolling.move(lines, pages),
    // Goes to the next difference; tells which it is.
    async next(path) {
      if (mode !== "diff") await see("diff", path);
      const panes = Object.values(made.diff), marks = [...root.querySelectorAll("[data-change]")], found = Math.max(0, ...marks.map((one) => one.dataset.change));
      if (!found) return "There is no difference in words.";
      at = at % found + 1;
      for (const one of marks) one.classList.toggle("now", Number(one.dataset.change) === at);
      scrolling.show(panes.map((pane) => pane.querySelector(".now")));
      return `Difference ${at} of ${found}`;
    },
  };
}
