// Times stand in the page in UTC. Here they become those of the reader's own time zone; the one in UTC stays as a title.
const local = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" });  // written 2026-11-29 08:00
for (const one of document.querySelectorAll("time[datetime]")) {
  one.title = one.textContent;
  one.textContent = local.format(new Date(one.dateTime));
}
