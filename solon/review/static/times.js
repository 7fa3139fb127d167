// Times stand in the page in UTC. Here they become those of the reader's own time zone; the one in UTC stays as a title. A
// filter by days is told the zone in which they are meant.
const local = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" });  // written 2026-11-29 08:00
for (const one of document.querySelectorAll("time[datetime]")) {
  one.title = one.textContent;
  one.textContent = local.format(new Date(one.dateTime));
}
const zone = local.resolvedOptions().timeZone;
for (const one of document.querySelectorAll("[data-zone]")) {
  if (one.matches("input")) one.value = zone;
  else one.textContent = zone;
}
