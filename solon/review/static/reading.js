// How an item is read: panes that scroll together, the diff, and the exact characters.
import { call } from "./net.js";
import { t } from "./texts.js";

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
  const left = {};   // where each view was left: its own places, and the places of the view that came after it
  let mode = "text", at = 0, told = null, scrolling = null;
  const tops = () => [...names.map((name) => seen(name).scrollTop), scrollY];
  const set = (places) => { names.forEach((name, i) => { seen(name).scrollTop = places[i]; }); scrollTo(0, places.at(-1)); };

  function turn(to) {
    const shares = names.map((name) => seen(name).scrollTop / Math.max(1, seen(name).scrollHeight - seen(name).clientHeight));
    const before = mode, places = tops();
    mode = to;
    for (const name of names) for (const way of Object.values(made)) if (way[name]) way[name].hidden = way[name] !== seen(name);
    if (told) told.hidden = to !== "diff";
    for (const button of root.querySelectorAll("[data-do=diff], [data-do=source]")) button.setAttribute("aria-pressed", String(button.dataset.do === to));
    // Where one stood: exactly, where nothing has moved since this view was left, else by share of the whole.
    if (left[to]?.came.every((top, i) => Math.abs(top - places[i]) < 1)) set(left[to].own);
    else set([...names.map((name, i) => shares[i] * (seen(name).scrollHeight - seen(name).clientHeight)), places.at(-1)]);
    left[before] = { own: places, came: tops() };
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
      if (!found) return t("There is no difference in words.");
      at = at % found + 1;
      for (const one of marks) one.classList.toggle("now", Number(one.dataset.change) === at);
      scrolling.show(panes.map((pane) => pane.querySelector(".now")));
      return t`Difference ${at} of ${found}`;
    },
  };
}
