// A guest's console in a tab of its own: a terminal on its serial line, or its screen. A ticket, good once and for half
// a minute, is fetched for each connection; the stream says at its end why it ended.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import RFB from "@novnc/novnc";
import keysyms from "../node_modules/@novnc/novnc/core/input/keysymdef.js";

const ENTER = 0xff0d;
const place = document.getElementById("console");
const status = document.getElementById("console-status");
const toolbar = document.getElementById("console-tools");
const words = place.dataset;

let link = null; // what is open now: { send(text), close(), … }

function tell(text, tone) {
  status.textContent = text;
  status.className = `state ${tone}`;
}

async function ticket() {
  const body = new FormData(document.getElementById("console-ticket"));
  const answer = await fetch(words.ticket, { method: "POST", body, redirect: "error" });
  const document_ = await answer.json();
  if (!answer.ok) throw new Error(document_.detail ?? answer.statusText);
  return document_;
}

async function connect() {
  link?.close();
  place.replaceChildren();
  tell(words.connecting, "busy");
  try {
    const { url, is_read_only: isReadOnly, go } = await ticket();
    if (go) return location.assign(go);
    link = words.kind === "vnc" ? screen(address(url)) : terminal(address(url), isReadOnly);
  } catch (error) {
    tell(error.message || words.ended, "bad");
  }
}

// Of the page's own site, whatever address programs are told: the policy of the page allows no other.
function address(url) {
  const { pathname } = new URL(url, location.href);
  return new URL(pathname, location.href.replace(/^http/, "ws")).href;
}

function ended(reason) {
  tell(reason ? `${words.ended} ${reason}` : words.ended, "idle");
  toolbar.querySelector('[data-do="reconnect"]').focus();
}

function terminal(url, isReadOnly) {
  const term = new Terminal({ screenReaderMode: true, scrollback: 5000, fontSize: 15, disableStdin: isReadOnly });
  const fit = new FitAddon();
  term.loadAddon(fit);
  term.open(place);
  fit.fit();
  term.attachCustomKeyEventHandler((event) => !leaves(event));
  const socket = new WebSocket(url, ["binary"]);
  socket.binaryType = "arraybuffer";
  const encoder = new TextEncoder();
  const send = (text) => socket.readyState === WebSocket.OPEN && socket.send(encoder.encode(text));
  socket.onopen = () => {
    tell(isReadOnly ? words.watching : words.connected, "good");
    term.focus();
  };
  // The first message is what the guest wrote before. The terminal answers the questions in it (where is the cursor,
  // what are you) as if they were asked now, and the guest would take the answers for keys: they are dropped.
  let isFirst = true;
  let isReplaying = false;
  socket.onmessage = (message) => {
    isReplaying ||= isFirst;
    term.write(new Uint8Array(message.data), isFirst ? () => (isReplaying = false) : undefined);
    isFirst = false;
  };
  socket.onclose = (event) => ended(event.reason);
  term.onData((text) => isReplaying || send(text));
  const resize = () => fit.fit();
  addEventListener("resize", resize);
  return {
    term,
    send,
    close() {
      removeEventListener("resize", resize);
      socket.onclose = null;
      socket.close();
      term.dispose();
    },
  };
}

function screen(url) {
  const socket = new WebSocket(url, ["binary"]); // ours: noVNC does not tell why one was closed
  const rfb = new RFB(place, socket, { shared: true });
  rfb.scaleViewport = true;
  rfb.addEventListener("connect", () => {
    tell(words.connected, "good");
    place.querySelector("canvas")?.setAttribute("aria-label", words.screen);
    rfb.focus();
  });
  socket.addEventListener("close", (event) => link?.rfb === rfb && ended(event.reason));
  return {
    rfb,
    send(text) {
      for (const character of text) {
        const keysym = character === "\n" ? ENTER : keysyms.lookup(character.codePointAt(0));
        rfb.sendKey(keysym, null);
      }
    },
    picture: () => new Promise((done) => rfb.toBlob(done, "image/png")),
    close: () => rfb.disconnect(),
  };
}

// Both take all keys for the guest; this one is ours, so that nobody is kept here who has no mouse.
function leaves(event) {
  if (!(event.ctrlKey && event.altKey && event.key.toLowerCase() === "q")) return false;
  if (event.type === "keydown") toolbar.querySelector("a, button").focus();
  return true;
}

place.addEventListener(
  "keydown",
  (event) => {
    if (words.kind === "vnc" && leaves(event)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  },
  { capture: true },
);

const deeds = {
  reconnect: connect,
  "ctrl-alt-del": () => link?.rfb?.sendCtrlAltDel(),
  async screenshot() {
    const picture = await link?.picture?.();
    if (!picture) return;
    const anchor = document.createElement("a");
    anchor.href = URL.createObjectURL(picture);
    anchor.download = `${words.name}-${new Date().toISOString().slice(0, 19)}.png`;
    anchor.click();
    URL.revokeObjectURL(anchor.href);
  },
  full: () => place.requestFullscreen(),
};

toolbar.addEventListener("click", (event) => {
  const name = event.target.closest("[data-do]")?.dataset.do;
  deeds[name]?.();
});

const paste = document.getElementById("console-paste");
paste?.addEventListener("submit", (event) => {
  event.preventDefault();
  const field = paste.querySelector("textarea");
  link?.send(field.value.replace(/\r\n/g, "\n"));
  field.value = "";
  paste.closest("[popover]")?.hidePopover();
});

connect();
