// <time data-relative datetime="…">: "3 minutes ago", in the page's language, kept up to date. The whole moment is its title.
const UNITS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];
const EVERY_MS = 30_000;
const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });

export function tellMoments(root = document) {
  for (const element of root.querySelectorAll("time[data-relative]")) {
    const seconds = (Date.parse(element.dateTime) - Date.now()) / 1000;
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
    element.textContent = words.format(Math.round(seconds / size), unit);
  }
}

tellMoments();
setInterval(tellMoments, EVERY_MS);
document.addEventListener("dashboard:fresh", () => tellMoments());
