// Requests to our own server: one place knows cookies, CSRF and what a failure means.
import { t } from "./texts.js";
export class SessionEnded extends Error {}
export class Refused extends Error {
  constructor(problem, status) { super(problem.cause || t("The server refused this.")); this.told = [this.message, problem.next_step].filter(Boolean).map((words) => words[0].toUpperCase() + words.slice(1).replace(/\.$/, "") + ".").join(" "); this.code = problem.error; this.status = status; }
}
const csrf = () => document.querySelector("meta[name=csrf]");

async function once(method, path, body, kind) {
  const headers = { "X-CSRF-Token": csrf().content };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), redirect: "manual", signal: AbortSignal.timeout(20000) });
  if (answer.type === "opaqueredirect" || answer.status === 401) throw new SessionEnded();
  if (answer.ok) return kind === "text" ? answer.text() : answer.json();
  if (answer.status >= 500) throw new Error(`server error ${answer.status}`);
  throw new Refused(await answer.json().catch(() => ({})), answer.status);
}

export async function call(method, path, body, kind) {
  try { return await once(method, path, body, kind); } catch (error) {
    // Another tab may have logged in anew: take its CSRF token, once.
    if (!(error instanceof Refused) || error.status !== 403 || path === "/page/csrf") throw error;
    const fresh = await once("GET", "/page/csrf");
    if (fresh.expert !== document.querySelector("meta[name=expert]").content) throw new SessionEnded();
    csrf().content = fresh.csrf;
    return once(method, path, body, kind);
  }
}
export const send = (path, body) => call("POST", path, body);
