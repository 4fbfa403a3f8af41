// <form data-upload>: puts the file that was chosen as it is, shows how far it is, and can be stopped. Without scripts the
// form sends it by itself.
import { csrf } from "./csrf.js";

function begin(form) {
  const [state, note] = ["[data-upload-state]", '[role="alert"]'].map((part) => form.querySelector(part));
  const [go, stop] = [form.querySelector("button:not([type])"), form.querySelector("[data-upload-stop]")];
  const file = form.elements.file.files[0];
  const request = new XMLHttpRequest();

  const underWay = (isIt) => {
    state.hidden = stop.hidden = !isIt;
    go.hidden = form.elements.file.disabled = isIt;
  };
  const fail = (text) => {
    underWay(false);
    note.hidden = false;
    note.textContent = text;
  };

  request.upload.onprogress = ({ loaded, total }) => {
    const percent = Math.floor((100 * loaded) / total);
    state.querySelector("progress").value = percent;
    const spoken = `${percent - (percent % 10)} %`;
    const words = state.querySelector('[role="status"]');
    if (words.textContent !== spoken) words.textContent = spoken;
  };
  request.onload = () => {
    const answer = request.response ?? {};
    if (answer.go) location.assign(answer.go);
    else fail(answer.detail ?? form.dataset.failed);
  };
  request.onerror = () => fail(form.dataset.failed);
  request.onabort = () => fail(form.dataset.stopped);
  stop.onclick = () => request.abort();

  note.hidden = true;
  underWay(true);
  request.open("PUT", form.action);
  request.responseType = "json";
  for (const [name, value] of Object.entries(csrf(form))) request.setRequestHeader(name, value);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.send(file);
}

for (const form of document.querySelectorAll("form[data-upload]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    begin(form);
  });
}
