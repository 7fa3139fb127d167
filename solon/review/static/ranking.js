// The order in which answers are put, a list for each question: by their digits from the best on, by the arrow keys, by
// dragging, or by tapping one after the other. It is fetched where a ranking is asked for.
import { t } from "./texts.js";

export function ranker(root, changed) {
  const said = root.querySelector(".ranks-said"), lists = [...root.querySelectorAll(".ranks")];
  const lines = lists.map((list) => [...list.children]), ids = lines[0].map((line) => line.dataset.candidate);
  const orders = lists.map(() => []);   // of each list the answers that have a place, the best first: {id, tied}
  let active = 0, tie = false;          // the list that digits are for; the next digit shares the place before it

  const lineOf = (list, id) => lines[list][ids.indexOf(id)], find = (list, id) => orders[list].findIndex((one) => one.id === id);
  const placeOf = (list, at) => { while (orders[list][at].tied) at -= 1; return at + 1; };
  const whole = (list) => orders[list].length === ids.length;

  function draw(list) {
    const focused = lists[list].contains(document.activeElement) ? document.activeElement : null;
    if (orders[list][0]) orders[list][0].tied = false;
    const left = ids.filter((id) => find(list, id) < 0);
    lists[list].append(...[...orders[list].map((one) => one.id), ...left].map((id) => lineOf(list, id)));
    ids.forEach((id) => {
      const at = find(list, id), button = lineOf(list, id).firstElementChild;
      button.firstElementChild.textContent = at < 0 ? "–" : `${placeOf(list, at)}${orders[list][at].tied ? " =" : "."}`;
      button.setAttribute("aria-pressed", String(at >= 0));
    });
    focused?.focus();
    show();
  }

  function show() { lists.forEach((list, i) => list.classList.toggle("active", lists.length > 1 && i === active)); }

  function tell(list, id) {
    const at = find(list, id), name = lineOf(list, id).dataset.name, question = lists[list].dataset.told, before = question ? `${question}: ` : "";
    if (at < 0) said.textContent = before + t`${name} has no place`;
    else said.textContent = before + (orders[list][at].tied ? t`${name}: place ${placeOf(list, at)}, shared` : t`${name}: place ${placeOf(list, at)}`);
  }

  function done(list, id) {
    active = list;
    tell(list, id);
    if (whole(list)) active = orders.findIndex((order) => order.length < ids.length);
    if (active < 0) active = list;
    lists.forEach((_, i) => draw(i));
    changed();
  }

  // An answer gets the next place, or loses the one that it has.
  function toggle(list, id) {
    const at = find(list, id);
    if (at < 0) orders[list].push({ id, tied: tie }); else orders[list].splice(at, 1);
    tie = false;
    done(list, id);
  }

  function move(list, id, to) {
    const at = find(list, id), here = orders[list];
    if (at >= 0) here.splice(at, 1);
    here.splice(Math.max(0, Math.min(to, here.length)), 0, { id, tied: false });
    done(list, id);
  }

  function share(list, id) {
    const at = find(list, id);
    if (at < 1) return;
    orders[list][at].tied = !orders[list][at].tied;
    done(list, id);
  }

  lists.forEach((list, i) => {
    list.addEventListener("focusin", () => { active = i; show(); });
    for (const line of lines[i]) {
      const id = line.dataset.candidate;
      line.firstElementChild.addEventListener("click", () => toggle(i, id));
      line.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", `${i} ${id}`));
      line.addEventListener("dragover", (event) => event.preventDefault());
      line.addEventListener("drop", (event) => {
        const [from, moved] = event.dataTransfer.getData("text/plain").split(" "), at = find(i, id);
        event.preventDefault();
        if (Number(from) === i && ids.includes(moved) && moved !== id) move(i, moved, at < 0 ? ids.length : at);
      });
    }
    draw(i);
  });

  // Tells whether a key was meant for the order.
  function key(event, pressed) {
    if (event.ctrlKey || event.altKey || root.querySelector(":is(.flags, .principles)[open]")) return false;
    const line = event.target.closest(".ranks > li"), id = line?.dataset.candidate, list = line ? lists.indexOf(line.parentNode) : active;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[pressed] * (getComputedStyle(root).direction === "rtl" ? -1 : 1);
    if (ids[pressed - 1]) toggle(active, ids[pressed - 1]);
    else if (["=", "0"].includes(pressed) && find(list, id) >= 0) share(list, id);
    else if (["=", "0"].includes(pressed)) { tie = orders[active].length > 0; said.textContent = tie ? t("The next one shares the place before it.") : t("Nothing has a place yet."); }
    else if (line && step) move(list, id, find(list, id) < 0 ? ids.length : find(list, id) + step);
    else return false;
    return true;
  }

  const tiersOf = (order) => order.reduce((tiers, { id, tied }) => (tied ? [...tiers.slice(0, -1), [...tiers.at(-1), id]] : [...tiers, [id]]), []);
  const by = (read) => (lists[0].dataset.question ? Object.fromEntries(lists.map((list, i) => [list.dataset.question, read(orders[i])])) : read(orders[0]));
  return {
    key,
    complete: () => orders.every((_, i) => whole(i)),
    ranking: () => by(tiersOf),
    fill(ranking) {
      lists.forEach((list, i) => {
        const tiers = (Array.isArray(ranking) ? ranking : ranking?.[list.dataset.question]) || [];
        orders[i] = tiers.flatMap((tier) => ids.filter((id) => [tier].flat().includes(id)).map((id, n) => ({ id, tied: n > 0 })));
        draw(i);
      });
    },
  };
}
