// <form data-passkey="create|get" data-challenge="/…" data-failed="…" hidden>: asks for a challenge, has the browser answer
// it, puts the answer into the form and sends it. Where the browser knows no passkeys, the form stays hidden.
import { csrf } from "./csrf.js";

async function challengeOf(form) {
  const answer = await fetch(form.dataset.challenge, { method: "POST", headers: csrf(form) });
  return { isGood: answer.ok, ...(await answer.json()) };
}

const answers = {
  create: (options) =>
    navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }),
  get: (options) => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }),
};

function tell(form, text) {
  const note = form.querySelector('[role="alert"]');
  note.hidden = false;
  note.textContent = text;
}

async function send(form) {
  try {
    const challenge = await challengeOf(form);
    if (challenge.go) return location.assign(challenge.go);
    if (!challenge.isGood) return tell(form, challenge.detail);
    const credential = await answers[form.dataset.passkey](challenge.options);
    form.elements.ceremony.value = challenge.ceremony;
    form.elements.credential.value = JSON.stringify(credential.toJSON());
  } catch {
    return tell(form, form.dataset.failed);
  }
  form.submit();
}

if (window.PublicKeyCredential?.parseCreationOptionsFromJSON) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form);
    });
  }
}
