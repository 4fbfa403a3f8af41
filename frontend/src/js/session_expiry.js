// <dialog id="session" data-left-s="…" data-idle-s="…" data-extend="/…">: says two minutes before that the session is about to
// end. It ends when it is not used, which a button prevents, and at last for good: then one signs in again in another tab,
// and what was typed here can still be sent. Each page tells those of other tabs when it has used the session.
import { isFollowing } from "./live_sections.js";

const WARN_MS = 120_000;
const EVERY_MS = 5_000;
const dialog = document.getElementById("session");
const tabs = new BroadcastChannel("session");
let ends = 0;
let used = 0;
let shown = "";

function use(leftS) {
  used = Date.now();
  ends = used + leftS * 1000;
  check();
}

// What is to be said: nothing yet; that it ends unless it is used, that it ends whatever happens, that it has ended.
function check() {
  if (isFollowing()) used = Date.now();
  const unused = used + dialog.dataset.idleS * 1000;
  const end = Math.min(ends, unused);
  const leftMs = end - Date.now();
  const said = leftMs > WARN_MS ? "" : leftMs <= 0 ? "over" : ends <= unused ? "last" : "idle";
  if (said !== shown) say(said, new Date(end));
}

function say(said, end) {
  shown = said;
  if (!said) return dialog.close();
  for (const part of dialog.querySelectorAll("[data-when]")) part.hidden = !part.dataset.when.split(" ").includes(said);
  for (const time of dialog.querySelectorAll("time")) {
    time.textContent = end.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
  }
  dialog.close();
  dialog.showModal();
}

async function extend() {
  const answer = await fetch(dialog.dataset.extend, { redirect: "manual" });
  const leftS = answer.ok ? (await answer.json()).left_s : 0;
  use(leftS);
  tabs.postMessage(leftS);
}

if (dialog) {
  use(Number(dialog.dataset.leftS));
  tabs.postMessage(Number(dialog.dataset.leftS));
  tabs.onmessage = ({ data }) => use(data);
  setInterval(check, EVERY_MS);
  dialog.addEventListener("click", (event) => {
    if (event.target.closest("[data-extend-session]")) extend();
    if (event.target.closest("[data-close]")) dialog.close();
  });
}
