// <pre data-tail>: what is printed last is in sight, also after it was fetched anew.
function showTails() {
  for (const element of document.querySelectorAll("[data-tail]")) element.scrollTop = element.scrollHeight;
}

showTails();
document.addEventListener("htmx:after:swap", showTails);
document.addEventListener("dashboard:fresh", showTails);
