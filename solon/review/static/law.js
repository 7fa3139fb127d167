// Keeps the line that tells how a measurement, a rejudging or a count stands up to date; what is being typed stays.
const PAUSE = 2000;

async function look() {
  const shown = document.getElementById("job");
  if (!shown || shown.dataset.open !== "yes") return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const now = page.getElementById("job");
      if (!now || now.dataset.open !== "yes") return location.reload();
      shown.replaceWith(document.adoptNode(now));
    }
  } catch { /* the server is away for a moment: look again */ }
  setTimeout(look, PAUSE);
}

setTimeout(look, PAUSE);
