// Parts of a page that follow the cloud: <section id="…" data-live="instance volume"> is fetched anew, and morphed, when
// an event of one of these kinds comes over the stream. Where there is no stream, by asking now and then; in a tab that
// nobody sees, not at all.
import { announce } from "./live_announcer.js";

const GATHER_MS = 400;
const POLL_BUSY_MS = 3_000;
const POLL_MS = 30_000;
const address = document.body.dataset.stream;
const parts = () => [...document.querySelectorAll("[data-live]")];

let source = null;
let isStale = false;
let gathering = null;

// Over an open stream the page uses its session all the time.
export const isFollowing = () => source?.readyState === EventSource.OPEN;

function connect() {
  source = new EventSource(address);
  source.onmessage = (message) => take(message);
  for (const kind of new Set(parts().flatMap((part) => part.dataset.live.split(" ")))) {
    for (const name of (document.body.dataset.events ?? "").split(" ")) {
      if (name.startsWith(`${kind}.`)) source.addEventListener(name, take);
    }
  }
}

function take() {
  if (document.hidden) {
    isStale = true;
    return;
  }
  gathering ??= setTimeout(refresh, GATHER_MS);
}

export async function refresh() {
  clearTimeout(gathering);
  gathering = null;
  isStale = false;
  let answer;
  try {
    answer = await fetch(location.href, { headers: { "X-Live": "true" }, redirect: "error" });
  } catch {
    return; // the next round tries again
  }
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const others = new Map(parts().map((part) => [part, fresh.getElementById(part.id)]));
  const main = document.getElementById("main");
  if ([...others.values()].includes(null)) replace(main, fresh.getElementById("main")); // the first came, or the last went
  else for (const [part, other] of others) replace(part, other);
  document.dispatchEvent(new CustomEvent("dashboard:fresh"));
}

function replace(part, other) {
  if (part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) return;
  const before = words(part);
  htmx.swap({ target: part, text: other.outerHTML, swap: "outerMorph" });
  for (const [name, text] of words(document.getElementById(part.id))) {
    if (before.get(name) !== text) announce(`${name}: ${text}`);
  }
}

// What is worth saying aloud: the states, by whose they are.
function words(part) {
  const states = part?.querySelectorAll("[data-announce]") ?? [];
  return new Map([...states].map((state) => [state.dataset.announce, state.textContent.trim()]));
}

function poll() {
  const isBusy = document.querySelector("[data-live] .state.busy") !== null;
  if (!document.hidden && (!isFollowing() || isStale)) refresh();
  setTimeout(poll, isBusy ? POLL_BUSY_MS : POLL_MS);
}

if (parts().length > 0 && address) {
  connect();
  setTimeout(poll, POLL_BUSY_MS);
  document.addEventListener("visibilitychange", () => !document.hidden && isStale && refresh());
  document.addEventListener("click", (event) => event.target.closest("[data-refresh]") && refresh());
}
