// Times stand in the page in UTC. Here they become those of the reader's own time zone; the one in UTC stays as a title. A
// filter by days is told the zone in which they are meant.
const local = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" });  // written 2026-11-29 08:00
export function showTimes(root) {
  for (const one of root.querySelectorAll("time[datetime]")) {
    one.title = one.textContent;
    one.textContent = local.format(new Date(one.dateTime));
  }
}
showTimes(document);
const zone = local.resolvedOptions().timeZone;
for (const one of document.querySelectorAll("[data-zone]")) {
  if (one.matches("input")) one.value = zone;
  else one.textContent = zone;
}
