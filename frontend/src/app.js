// What every page loads. Pages work without it: it makes them livelier, quicker by keyboard, and says no rule of its own.
import "htmx.org";
import "./js/copy.js";
import "./js/jumps.js";
import "./js/live.js";
import "./js/moments.js";
import "./js/palette.js";
import "./js/session.js";
import "./js/ticks.js";
import "./js/tail.js";
import "./js/passkeys.js";
import "./js/print.js";
import "./js/upload.js";
