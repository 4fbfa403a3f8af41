// What every page loads. Pages work without it: it makes them livelier, quicker by keyboard, and says no rule of its own.
import "htmx.org";
import "./js/copy_button.js";
import "./js/skip_links.js";
import "./js/live_sections.js";
import "./js/relative_time.js";
import "./js/command_palette.js";
import "./js/session_expiry.js";
import "./js/bulk_select.js";
import "./js/log_tail.js";
import "./js/passkeys.js";
import "./js/print_button.js";
import "./js/file_upload.js";
