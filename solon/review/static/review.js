// The review page: one item at a time, by keyboard, never losing what was typed. Nothing is kept in the browser's storage.
import { send, call, SessionEnded, Refused } from "./net.js";
import { HELD, actionOf, meant } from "./keys.js";
import { readAnswer, readDraft, fillAnswer, markCriterion, pick, unpick, markSet, problemOf, nextCriterion, scoreActive, nextStrength, nextFlags, labelsOf } from "./form.js";
import { $, $$, settings, dialog, say, openDialog, showKeys } from "./dialogs.js";
import { otherViews } from "./reading.js";
import { t } from "./texts.js";

const box = $("#item");

let shown = null;            // the view on screen: {item, html, root, openedAt, firstInput, active, dirty, sent}
let ahead = [];              // views fetched beforehand
const unsent = [];           // answers on their way: {view, body}
let flushing = false, sending = null, retryIn = 1000, retryTimer = 0;
let last = null;             // the last answer: {assignment, decision}
let saidOf = null;           // the view that the message on screen is about
let asking = false, covered = false, session = 0, idleSince = Date.now();

// Fetching and showing ------------------------------------------------------------------------------------------

const held = () => [shown, ...ahead, ...unsent.map((entry) => entry.view)].filter(Boolean).map((view) => view.item.assignment);

async function fetchNext() {
  const found = await call("POST", "/page/next", { exclude: held() });
  return found.item ? { item: found.item, html: found.html } : found;
}

async function advance() {
  shown = null;
  if (ahead.length) { show(ahead.shift()); prefetch(); return; }
  empty(t("Fetching the next review."), "fetching");
  if (asking) return;   // a prefetch is under way and shows what it brings
  asking = true;
  box.setAttribute("aria-busy", "true");
  try {
    await sending;   // or the last answer's own review would be missing in what an empty queue tells
    const found = await fetchNext();
    if (found.item && shown) ahead.push(found);   // one that was taken back came first
    else if (found.item) show(found);
    else if (!shown) empty(atWork(found), found.empty);
  } catch (error) {
    if (error instanceof SessionEnded) loginAgain();
    else if (shown) return;   // the next step asks again
    else if (error instanceof Refused) empty(error.message, "refused");
    else { empty(t("No connection. Your answers are kept here and are sent when it is back."), "offline"); setTimeout(() => { if (!shown) advance(); }, 3000); }
  } finally { asking = false; }
  if (shown) prefetch();
}

async function prefetch() {
  if (asking || ahead.length) return;
  asking = true;
  try { const found = await fetchNext(); if (found.item) ahead.push(found); } catch { /* the next step asks again */ } finally { asking = false; }
  if (!shown) advance();   // answered meanwhile: show what came, or ask why nothing did
}

function show(view) {
  shown = view;
  view.openedAt ||= Date.now() / 1000;
  view.active ||= 0;
  box.removeAttribute("aria-busy");
  if (view.root) box.replaceChildren(view.root);   // as it was left, with all that was typed
  else {
    box.innerHTML = view.html;   // rendered and cleaned by the server; the CSP allows no script in it
    view.root = $(".item", box);
    if (box.dataset.lead) $("[data-do=escalate]", box)?.remove();   // nobody is above a lead
    showKeys(box);
    if (view.item.draft) fillAnswer(view, view.item.draft);
    wire(view);
  }
  $(".problem", box).textContent = view.told || view.wrong || "";
  const fresh = !view.seen;
  view.seen ||= otherViews(view.root, () => settings.together);
  if (fresh && view.item.fix) see("diff", diffOf(view));
  if (view.over) $(".answer .send", box).textContent = t("Go on to the next");
  scrollTo({ top: 0 });
  if (saidOf && saidOf !== view) sayOf(null, "");
  drawEvidence(view);
  view.root.focus({ preventScroll: true });
  idleSince = Date.now();
}

// What is said of an item goes with it.
function sayOf(view, text) {
  say(text);
  saidOf = view;
}

// Another review comes first: what is on screen follows it, as it is.
function showBefore(view) {
  if (shown) { saveDraft(shown); ahead.unshift(shown); }
  show(view);
}

function atWork(found) {
  if (!found.until) return found.message;
  const at = new Date(found.until * 1000).toLocaleTimeString("sv-SE", { hour: "2-digit", minute: "2-digit" });
  return t`Being judged until about ${at}. ${found.message}`;
}

function empty(message, kind) {
  shown = null;
  box.removeAttribute("aria-busy");
  const told = document.createElement("p");
  told.className = "empty";
  told.dataset.empty = kind || "";
  told.textContent = message;
  box.replaceChildren(told);
  if (kind === "guidelines") readGuidelines();
}

async function readGuidelines() {
  try { box.append(...await (await beside()).toAcknowledge(page, advance, failed)); } catch (error) { failed(error); }
}

function wire(view) {
  if ($(".marking", view.root)) wireMarks(view).catch(failed);
  if ($(".ranks", view.root)) wireRanks(view).catch(failed);
  view.labels = labelsOf(view, (choice, more) => choose(choice, null, more));
  markCriterion(view);
  $("form.answer", view.root).addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  view.root.addEventListener("input", () => changed(view));
  view.root.addEventListener("change", () => changed(view));
}

// Most items want no marks: what makes them is fetched where one does.
function marking(name) {
  if (!$("link[href='/static/marks.css']", document)) document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/static/marks.css" }));
  return import(`/static/${name}.js`);
}

// The words that were marked stay marked in the answer as it is read.
function drawEvidence(view) {
  globalThis.CSS?.highlights?.delete("evidence");
  if (view.evidence?.length) marking("evidence").then((at) => { if (view === shown) at.draw(view); }).catch(failed);
}

// Keys in `root` go to its marks first.
function listenToMarks(view, marks, root, close) {
  root.addEventListener("keydown", (event) => {
    if (covered || event.isComposing || event.metaKey || !settings.keys_on || event.target.closest("textarea, select, input")) return;
    if (close && event.key === "Escape") close(); else if (!marks.key(event, meant(event, settings))) return;
    event.preventDefault();
    event.stopPropagation();
    inUse();
    view.firstInput ||= Date.now() / 1000;
  });
}

async function evidence(button) {
  const view = shown, wanted = button?.closest(".candidate");
  if (!view || view.marker || !$(".candidate", view.root)) return;
  try { (await marking("evidence")).mark(view, wanted, () => changed(view), (...where) => listenToMarks(view, ...where)); } catch (error) { failed(error); }
}

// A turn of a dialogue is marked as a whole, or not any more.
function markTurn(button) {
  const view = shown, candidate = button.closest(".candidate").dataset.candidate;
  const start = Number(button.dataset.start), end = Number(button.dataset.end), marks = view.evidence || [];
  const others = marks.filter((mark) => mark.flag || mark.start !== start || mark.end !== end);
  view.evidence = others.length < marks.length ? others : [...marks, { candidate, start, end, flag: null }];
  changed(view);
  drawEvidence(view);
}

async function wireMarks(view) {
  const { item, root } = view, { marker } = await marking("marks");
  view.marker = marker(root, item.input || item.prompt, JSON.parse(item.candidates[0].text).spans, () => {
    if (view.choice === "stands" && view.marker.changed()) unpick(view);
    changed(view);
  });
  if (item.draft?.spans) view.marker.fill(item.draft.spans);
  listenToMarks(view, view.marker, root);
}

async function wireRanks(view) {
  view.ranker = (await marking("ranking")).ranker(view.root, () => { pick(view, "rank", null, true); changed(view); });
  view.ranker.fill(view.item.draft?.ranking);
  listenToMarks(view, view.ranker, view.root);
}

// What was proposed is accepted in one key, whatever was marked since.
function acceptMarks() {
  shown.marker.accept();
  choose("stands");
  if (!problemOf(shown, readAnswer(shown))) submit();
}

function changed(view) {
  if (view.sent) return;   // a field that is left with its item tells of a change, too
  view.firstInput ||= Date.now() / 1000;
  markSet(view);
  if (view.wrong && problemOf(view, readAnswer(view))?.told !== view.wrong) tellProblem(view, null);
  view.dirty = !view.over;
  clearTimeout(view.timer);
  if (!view.dirty) return;
  view.changedAt ||= Date.now();   // whoever types on and on is saved, too
  view.timer = setTimeout(() => saveDraft(view), Math.max(0, Math.min(500, view.changedAt + 2000 - Date.now())));
}

async function saveDraft(view) {
  clearTimeout(view.timer);
  if (!view.dirty) return;
  view.dirty = false;
  view.changedAt = 0;
  try {
    view.saving = call("PUT", `/api/v1/assignments/${view.item.assignment}/draft`, { draft: readDraft(view) });
    await view.saving;
    const free = saidOf === view || !$("#said").textContent;   // never over what became of an answer
    if (view === shown && !view.sent && free) sayOf(view, t("Draft saved."));
  } catch (error) {
    if (view.sent) return;
    view.dirty = true;
    if (error instanceof SessionEnded) loginAgain();
    else if (!(error instanceof Refused)) view.timer = setTimeout(() => saveDraft(view), 5000);
    if (view === shown && !(error instanceof SessionEnded)) sayOf(view, error instanceof Refused ? error.message : t("Draft not saved yet: no connection."));
  }
}

// Answering ----------------------------------------------------------------------------------------------------

// `more`: a further digit may make another label of it, so that it is not sent yet.
function choose(choice, candidate, more = false) {
  if (!shown || !pick(shown, choice, candidate)) return;
  for (const flags of $$(".flags[open]", box)) flags.open = false;
  changed(shown);
  tellProblem(shown, null);
  const bare = !["both_bad", "edit", "redraft", "rank", "write", "all_bad", "decline", "escalate"].includes(choice);
  if (settings.send_at_once && bare && !more && !problemOf(shown, readAnswer(shown))) submit();
}

// The fix that a model proposed, or what was made of the text before, becomes the edit: sent as it is or changed further.
function takeText(button) {
  const text = button?.dataset.from ? shown?.item.first?.text : shown?.item.fix;
  if (!text) return;
  $("[name=text]", shown.root).value = text;
  choose("edit");
}

// What is wrong with the answer, until it is put right.
function tellProblem(view, wrong) {
  view.wrong = wrong?.told;
  $(".problem", view.root).textContent = view.wrong || "";
  wrong?.field?.focus();
}

function submit() {
  if (!shown) return;
  if (shown.over) { advance(); return; }
  const view = shown, answer = readAnswer(view), wrong = problemOf(view, answer);
  if (wrong) { tellProblem(view, wrong); return; }
  if (saidOf === view) sayOf(null, "");
  clearTimeout(view.timer);
  view.dirty = false;
  view.sent = true;
  view.told = "";
  const times = { opened_at: view.openedAt, active_seconds: Math.round(view.active * 10) / 10 };
  if (view.firstInput) times.first_input_at = view.firstInput;
  unsent.push({ view, body: { token: view.item.token, answer, times } });
  if (!flushing) sending = flush();
  tellUnsent();
  advance();
}

async function flush() {
  clearTimeout(retryTimer);
  if (flushing) return;
  flushing = true;
  try {
    while (unsent.length) {
      const { view, body } = unsent[0];
      try {
        await view.saving?.catch(() => {});   // a draft that is on its way arrives before its answer, never after
        const taken = await send(`/page/decide/${view.item.review}`, body);
        unsent.shift();
        saved(taken);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        unsent.shift();
        Object.assign(view, { over: error.status === 409 || error.status === 404, sent: false, told: error.told });
        if (!shown?.firstInput) showBefore(view);
        else { ahead.unshift(view); say(t("An earlier answer was not taken; it comes back next.")); }   // not under somebody's hands
      }
      tellUnsent();
    }
    retryIn = 1000;
  } catch (error) {
    if (error instanceof SessionEnded) loginAgain();
    else { retryIn = Math.min(15000, retryIn * 1.6); retryTimer = setTimeout(flush, retryIn); }
  } finally { flushing = false; tellUnsent(); }
}

function saved(taken) {
  const undoable = taken.decision || (taken.kind === "second" ? null : taken.assignment);
  last = { assignment: taken.assignment, decision: undoable, message: taken.message };
  $("#last").hidden = false;
  sayOf(null, taken.message);
  $("[data-do=undo]").hidden = !undoable;
  $("[data-do=why]").hidden = !["decided", "second", "escalated"].includes(taken.kind);
  tellProgress(taken.progress);
}

const MAX_LEFT = 1000;   // the server counts no further

function tellProgress(progress) {
  $("#today").textContent = progress.mine_today;
  $("#mine").textContent = progress.mine;
  $("#team").textContent = progress.team;
  $("#waiting").textContent = progress.waiting;
  $("#left").textContent = progress.left < MAX_LEFT ? progress.left : `${MAX_LEFT}+`;
  Object.assign($("#done"), { max: Math.max(1, progress.mine_today + progress.left), value: progress.mine_today });
}

let askedAt = Date.now();   // the page came with the first
async function askProgress(now = false) {
  if (!now && Date.now() - askedAt < 10000) return;
  askedAt = Date.now();
  try { tellProgress(await call("GET", "/page/progress")); } catch { /* the next change asks again */ }
}

function tellUnsent() {
  const waiting = $("#unsaved");
  waiting.hidden = !unsent.length || (flushing && unsent.length === 1 && retryIn === 1000);
  waiting.textContent = t`not saved: ${unsent.length}`;
  if (!waiting.hidden && $("#said").textContent === last?.message) say("");   // that the one before is saved
}

async function undo(decision) {
  if (!decision) { say(t("Nothing to take back.")); return; }
  dialog.close();
  say(t("Taking back."));
  try {
    const back = await send(`/page/undo/${decision}`, {});
    last = null;
    $("#last").hidden = true;
    if (back.item) showBefore({ item: back.item, html: back.html });
    sayOf(back.item ? shown : null, back.message);
    askProgress(true);
  } catch (error) { failed(error); }
}

// Looking ------------------------------------------------------------------------------------------------------

const diffOf = (view) => `/page/diff/${view.item.assignment}`;

async function see(kind, path) {
  if (!shown) return;
  if (saidOf === shown) sayOf(null, "");   // "Difference 1 of 9", of a view that is left
  try { await shown.seen.see(kind, path); } catch (error) { failed(error); }
}

async function nextDifference() {
  if (!shown || !$("[data-do=diff]", box)) return;
  const view = shown;
  try { sayOf(view, await view.seen.next(diffOf(view))); } catch (error) { failed(error); }
}

async function together() {
  settings.together = !settings.together;
  say(settings.together ? t("Both answers scroll together.") : t("Each answer scrolls by itself."));
  try { await call("PUT", "/api/v1/me/settings", settings); } catch (error) { failed(error); }
}

async function why() {
  if (!last?.assignment) { say(t("There is no last answer yet.")); return; }
  try { openDialog(t("Your last answer"), await call("GET", `/page/explanation/${last.assignment}`, undefined, "text")); } catch (error) { failed(error); }
}

async function early() {
  if (!shown) return;
  const view = shown;
  if (!view.revealed && !confirm(t("See the panel's view before answering? This is noted, and your answer to this item then counts as no blind evidence."))) return;
  try {
    await call("POST", `/api/v1/assignments/${view.item.assignment}/reveal`, {});
    view.revealed = true;
    openDialog(t("The panel's view"), await call("GET", `/page/explanation/${view.item.assignment}`, undefined, "text"));
  } catch (error) { failed(error); }
}

// A model reads the answer before it is sent. Sending never waits for it.
async function check() {
  const view = shown;
  if (!view || view.over || view.checking) return;
  const place = $(".checked", view.root), answer = readAnswer(view), wrong = problemOf(view, { ...answer, rationale: answer.rationale || "not yet" });
  if (wrong) { tellProblem(view, wrong); return; }
  if (["skip", "decline", "escalate"].includes(answer.choice)) { say(t("Only an answer can be checked.")); return; }
  view.checking = true;
  place.hidden = false;
  place.textContent = t("A model reads your answer. You need not wait: send it when you like.");
  try {
    const told = await call("POST", `/api/v1/assignments/${view.item.assignment}/check`, { answer });
    if (!view.sent) place.replaceChildren(told.message, (await beside()).listRemarks(told.remarks));
  } catch (error) {
    place.hidden = true;
    if (!view.sent) failed(error);
  } finally { view.checking = false; }
}

// What is opened beside an item is fetched where somebody asks for it.
const page = { settings, call, openDialog, showKeys, say, dialog };
const beside = () => import("/static/beside.js");

async function openBeside(what) {
  try { await what(await beside()); } catch (error) { failed(error); }
}

async function answers() {
  try {
    openDialog(t("My last ten answers"), await call("GET", "/page/answers", undefined, "text"));
    (await import("/static/times.js")).showTimes(dialog);
  } catch (error) { failed(error); }
}

// Session ------------------------------------------------------------------------------------------------------

function failed(error) {
  if (error instanceof SessionEnded) loginAgain();
  else say(error instanceof Refused ? error.message : t("No connection; try again."));
}

function loginAgain() { if (!$("#again").open) { dialog.close(); $("#again").showModal(); } }

$("#again-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = $("#again-token"), problem = $("#again-problem");
  try {
    const answer = await fetch("/login", { method: "POST", body: new URLSearchParams({ token: given.value }), redirect: "manual" });
    if (answer.status === 401) { problem.textContent = t("This token is not known."); return; }
    await goOn();
  } catch { problem.textContent = t("No connection; try again."); }
});

// Whoever came by a link or single sign-on has no token: they log in in another tab.
async function goOn() {
  const problem = $("#again-problem");
  try {
    const fresh = await call("GET", "/page/csrf");
    if (fresh.expert !== $("meta[name=expert]").content) { problem.textContent = t("Someone else is logged in now. What is unsent here belongs to the first person."); return; }
    $("meta[name=csrf]").content = fresh.csrf;
    $("#again-token").value = problem.textContent = "";
    $("#again").close();
    flush();
    listen();
    if (shown) saveDraft(shown); else advance();
  } catch (error) { problem.textContent = error instanceof SessionEnded ? t("You are not logged in yet.") : t("No connection; try again."); }
}
$("#again").addEventListener("cancel", (event) => event.preventDefault());

function cover(title, words) {
  covered = true;
  if (dialog.open) dialog.close();   // a dialog would lie over the cover
  $("#cover-title").textContent = title;
  $("#cover-text").textContent = words;
  $("#cover").hidden = false;
  $("main").inert = true;
  $("#cover button").focus();
}

function uncover() { if (!covered) return; covered = false; $("#cover").hidden = true; $("main").inert = false; idleSince = Date.now(); shown?.root.focus({ preventScroll: true }); beat(); }

function coverWhenIdle() {
  if (covered || !settings.lock_minutes || Date.now() - idleSince <= settings.lock_minutes * 60000) return;
  cover(t("Covered"), t("Nobody was here for a while, so the text is covered."));
}
document.addEventListener("visibilitychange", coverWhenIdle);

// Reading is use too: a long text is scrolled, not clicked. After a sleep the cover comes first.
function inUse() { coverWhenIdle(); if (!covered) idleSince = Date.now(); }
for (const sign of ["pointermove", "wheel", "touchmove"]) addEventListener(sign, inUse, { passive: true });

setInterval(() => {
  coverWhenIdle();
  if (covered || document.hidden || Date.now() - idleSince > 60000) return;
  session += 1;
  if (shown) shown.active += 1;
  $("#clock").textContent = `${Math.floor(session / 60)}:${String(session % 60).padStart(2, "0")}`;
  if (settings.session_minutes && session === settings.session_minutes * 60) say(t("Time for a break: tired answers are worse answers."));
}, 1000);

// Whoever is not there keeps nothing: the lease ends half an hour after the last of these.
async function beat() {
  if (covered || Date.now() - idleSince > 600000) return;
  for (const view of [shown, ...ahead].filter(Boolean)) {
    try { await call("POST", `/api/v1/assignments/${view.item.assignment}/heartbeat`, {}); } catch (error) { if (view === shown && error instanceof Refused) say(error.message); }
  }
}
setInterval(beat, 60000);

const doing = {
  back: goOn,
  first: () => choose("prefer", $$(".candidate[data-candidate]", box)[0]?.dataset.candidate),
  second: () => choose("prefer", $$(".candidate[data-candidate]", box)[1]?.dataset.candidate),
  given: (button) => choose(button.dataset.choice),
  tie: () => choose("tie"), both_bad: () => choose(shown?.ranker ? "all_bad" : "both_bad"), rank: () => choose("rank"), accept: () => (shown?.marker ? acceptMarks() : choose("accept")), reject: () => choose("reject"),
  edit: () => choose(shown?.ranker ? "write" : "edit"), take: takeText, redraft: () => choose("redraft"), skip: () => choose("skip"), decline: () => choose("decline"), 
  escalate: () => (box.dataset.lead ? say(t("You are a lead yourself: decide it, or skip it.")) : choose("escalate")),
  send: submit, check: () => $("[data-do=check]", box) && check(), why, early, together, evidence, turn: markTurn, next: nextDifference,
  diff: () => $("[data-do=diff]", box) && see("diff", diffOf(shown)), source: () => see("source", `/page/source/${shown?.item.assignment}`),
  page: (_, event) => shown?.seen.move(0, event?.shiftKey ? -1 : 1), down: () => shown?.seen.move(1, 0), up: () => shown?.seen.move(-1, 0),
  strength: () => { if (shown) { say(nextStrength(shown)); changed(shown); } }, flag: () => { if (shown) nextFlags(shown); },
  fields: () => $("[data-field], .more:not([hidden]) :is(select, input, textarea)", box)?.focus(), find: () => $(".find input", box)?.focus(), answers,
  help: () => openBeside((at) => at.help(page)), settings: () => openBeside((at) => at.openSettings(page)),
  guidelines: () => openBeside(async (at) => openDialog(t("Guidelines"), await at.guidelinesOf(page, shown?.item))),
  change: (button) => undo(button.dataset.answer),
  undo: () => (unsent.length ? say(t("Your last answer is still on its way; take it back once it is saved.")) : undo(last?.decision)),
  principle: () => {
    const all = $(".principles", box);
    if (!all) return;
    all.open = !all.open;
    (all.open ? $("input, textarea", all) : shown.root).focus({ preventScroll: true });
  },
  pause: () => cover(t("Paused"), t("The text is covered and the clock stands still.")),
  resume: uncover, close: () => dialog.close(),
};

document.addEventListener("click", (event) => {
  inUse();
  const button = event.target.closest("[data-do], .send");
  if (!button || (covered && button.dataset.do !== "resume")) return;
  const answers = button.matches(".choice, .send, [data-do=undo]");
  if (answers && event.detail > 1) { event.preventDefault(); return; }   // half a double click would meet the next item
  doing[button.dataset.do]?.(button);
});

document.addEventListener("keydown", (event) => {
  inUse();
  if (covered || event.isComposing || $("#again").open) return;
  const field = event.target.closest("textarea, select, input:not([type=radio]):not([type=checkbox])");
  if (field) {
    const sends = event.ctrlKey || event.metaKey || (field.matches("select") && field.value);
    if (event.key === "Enter" && sends && box.contains(field)) { event.preventDefault(); submit(); }
    else if (event.key === "Enter" && field.closest(".find")) { event.preventDefault(); if (shown.labels.first()) shown.root.focus({ preventScroll: true }); }
    if (event.key === "Escape" && !dialog.open) { field.blur(); shown?.root.focus({ preventScroll: true }); }
    return;
  }
  if (!settings.keys_on || dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
  const control = event.target.closest("button, a, summary, input");
  const marks = event.key === "Enter" && control?.closest("[data-do=turn],.ranks");   // Space presses it, Enter sends what it is a part of
  if (control && !marks && (event.key === "Enter" || event.key === " ") && !(control.classList.contains("choice") && control.getAttribute("aria-pressed") === "true")) return;
  if (control?.type === "radio" && event.key.startsWith("Arrow")) return;
  const key = meant(event, settings), action = actionOf(key, settings, shown?.item.candidates.length === 1);
  if (event.repeat && !HELD.includes(action) && !["ArrowUp", "ArrowDown"].includes(event.key)) return;   // a key held down answers once
  const open = $(":is(.flags, .principles)[open]", box), flags = $(".flags[open]", box);
  if (open && event.key === "Escape") { open.open = false; shown.root.focus({ preventScroll: true }); return; }
  if (flags && $$("input", flags)[key - 1]) { event.preventDefault(); $$("input", flags)[key - 1].click(); return; }
  if (shown?.labels.digit(key)) { event.preventDefault(); return; }
  if (shown && shown.item.criteria.length && /^[1-5]$/.test(key)) { event.preventDefault(); say(scoreActive(shown, key)); changed(shown); return; }
  if (shown && shown.item.criteria.length && nextCriterion(shown, key)) { event.preventDefault(); return; }
  if (!action) return;
  event.preventDefault();
  doing[action](null, event);
});

addEventListener("beforeunload", (event) => { if (unsent.length || [shown, ...ahead].some((view) => view?.dirty)) event.preventDefault(); });
addEventListener("online", () => { retryIn = 1000; flush(); if (shown) saveDraft(shown); });

// The browser opens the stream again where the connection broke, and not where the server refused it.
let live = null, listenTimer = 0;
function listen() {
  clearTimeout(listenTimer);
  live?.close();
  const stream = live = new EventSource("/api/v1/events");
  stream.addEventListener("queue", (event) => {
    const counts = JSON.parse(event.data);
    $("#waiting").textContent = counts.free + counts.escalated;
    askProgress();
    const changes = $("[data-empty=nothing_for_you], [data-empty=in_hand]", box);   // it tells how many wait, and why
    if (!shown && !asking && (changes || counts.free + counts.escalated > 0)) advance();
  });
  stream.addEventListener("error", () => { if (stream === live && stream.readyState === EventSource.CLOSED) listenAgain(); });
}

async function listenAgain() {
  try { await call("GET", "/page/csrf"); } catch (error) {
    if (error instanceof SessionEnded) { loginAgain(); return; }   // logging in listens again
  }
  listenTimer = setTimeout(listen, 5000);
}

showKeys(document);
listen();
advance();
