// <button data-copy="text" data-copied="Copied">: puts the text on the clipboard and says so.
import { announce } from "./live_announcer.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const from = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
  await navigator.clipboard.writeText(from ? from.textContent : button.dataset.copy);
  button.classList.add("is-done");
  announce(button.dataset.copied);
});
