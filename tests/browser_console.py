"""Collect console errors of pages in a browser."""

from playwright.sync_api import BrowserContext

COMPLAINTS = ("error", "warning")
# What a policy refuses does not always come to the console, and not always as an error.
REFUSED = """document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`The page's policy refuses: ${event.violatedDirective} ${event.blockedURI}`);
});"""


def collect_console_errors(context: BrowserContext) -> list[str]:
    """Collect all further errors of its pages.

    They are console errors, script errors, and violations of their Content-Security-Policy.
    """
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text) if message.type in COMPLAINTS else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.add_init_script(REFUSED)
    return complaints
