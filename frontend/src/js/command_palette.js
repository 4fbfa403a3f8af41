// Ctrl+K or Cmd+K: a place to type where to go. The answers come from the server, as on the page of the search.
const dialog = document.getElementById("palette");
const field = dialog?.querySelector("input");
const list = dialog?.querySelector('[role="listbox"]');
const PAUSE_MS = 120;
let waiting = null;
let asked = 0;

const options = () => [...list.querySelectorAll('[role="option"]')];
const chosen = () => options().find((option) => option.getAttribute("aria-selected") === "true");

function choose(option) {
  for (const other of options()) other.setAttribute("aria-selected", String(other === option));
  if (!option) return field.removeAttribute("aria-activedescendant");
  field.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

async function ask() {
  const round = ++asked;
  const answer = await fetch(`${dialog.dataset.search}?palette=1&q=${encodeURIComponent(field.value)}`);
  if (!answer.ok || round !== asked) return;
  list.innerHTML = await answer.text();
  choose(options()[0]);
}

function move(step) {
  const all = options();
  if (all.length > 0) choose(all[(all.indexOf(chosen()) + step + all.length) % all.length]);
}

function keys(event) {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter" && chosen()) {
    event.preventDefault();
    location.assign(chosen().dataset.href);
  }
}

function open() {
  dialog.showModal();
  field.value = "";
  ask();
}

if (dialog) {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-palette]");
    if (opener) {
      event.preventDefault();
      open();
    }
    const option = event.target.closest('[role="option"]');
    if (option && list.contains(option)) location.assign(option.dataset.href);
    if (event.target === dialog) dialog.close();
  });
  field.addEventListener("keydown", keys);
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, PAUSE_MS);
  });
}
