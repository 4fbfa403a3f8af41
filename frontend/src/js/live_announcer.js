// Say something to screen readers, politely: several within a second become one sentence.
const PAUSE_MS = 1000;
let waiting = [];

export function announce(text) {
  if (!text) return;
  if (waiting.length === 0) setTimeout(say, PAUSE_MS);
  if (!waiting.includes(text)) waiting.push(text);
}

function say() {
  const place = document.getElementById("announcements");
  if (place) place.textContent = waiting.join(" ");
  waiting = [];
}
