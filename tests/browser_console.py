"""What pages in a browser complain about."""

from playwright.sync_api import BrowserContext

COMPLAINTS = ("error", "warning")
# What a policy refuses does not always come to the console, and not always as an error.
REFUSED = """document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`The page's policy refuses: ${event.violatedDirective} ${event.blockedURI}`);
});"""


def collect_console_errors(context: BrowserContext) -> list[str]:
    """All that its pages complain about from now on: in their consoles, by errors of scripts, and what their
    Content-Security-Policy refuses."""
    complaints: list[str] = []
    context.on("console", lambda said: complaints.append(said.text) if said.type in COMPLAINTS else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.add_init_script(REFUSED)
    return complaints
