// Keeps the line that tells how a measurement, a rejudging or a count stands up to date; what is being typed stays.
const PAUSE = 2000;

/** Whether somebody is filling in a form of the page, which loading it anew would empty. */
function filledIn() {
  const fields = [...document.forms].flatMap((form) => [...form.elements]).filter((field) => field.defaultValue !== undefined);
  return fields.some((field) => field === document.activeElement || field.value !== field.defaultValue
    || field.checked !== field.defaultChecked);
}

async function look() {
  const shown = document.getElementById("job");
  if (!shown || shown.dataset.open !== "yes") return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const now = page.getElementById("job");
      const open = now && now.dataset.open === "yes";
      if (!open && !filledIn()) return location.reload();
      if (open) shown.replaceWith(document.adoptNode(now));
    }
  } catch { /* the server is away for a moment: look again */ }
  setTimeout(look, PAUSE);
}

setTimeout(look, PAUSE);
