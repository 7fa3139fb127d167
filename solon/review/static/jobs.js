// The page of exports: asks after jobs that are on their way, and shows the page anew once one has ended.
import { t } from "./texts.js";
const open = () => [...document.querySelectorAll("[data-job]")].filter((one) => ["queued", "running"].includes(one.dataset.state));

async function look(one) {
  const answer = await fetch(`/api/v1/exports/${one.dataset.job}`);
  if (!answer.ok) return;
  const job = await answer.json();
  const told = one.querySelector("[data-so-far]");
  if (told && job.bytes_so_far) told.textContent = t`${Math.ceil(job.bytes_so_far / 1000)} kB written so far`;
  if (!["done", "failed"].includes(job.state)) return;
  document.querySelector("#job-said").textContent = job.state === "done" ? t("The export is done.") : t("The export is failed.");
  location.reload();
}

if (open().length) setInterval(() => { for (const one of open()) look(one).catch(() => {}); }, 1500);
