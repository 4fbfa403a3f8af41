"""Use a page by the keyboard alone."""

from playwright.sync_api import Locator, Page, expect

STEPS_MAX = 300
LIMIT_MS = 30_000
WHERE = """(wanted, first) => {
    if (document.activeElement === wanted) return "there";
    return document.activeElement === first ? "at the first" : "elsewhere";
}"""
# What is in the middle of it, of what can be seen of it.
IS_SEEN = """(element) => {
    const box = element.getBoundingClientRect();
    const middle = (from, to, end) => (Math.max(from, 0) + Math.min(to, end)) / 2;
    const [x, y] = [middle(box.left, box.right, innerWidth), middle(box.top, box.bottom, innerHeight)];
    const there = document.elementFromPoint(x, y);
    return there !== null && (element.contains(there) || there.contains(element));
}"""
IS_FRESH = "document.activeElement === document.body"
IS_CONTENT = "(element) => element.closest('main') !== null"
TOO_WIDE = "document.documentElement.scrollWidth - innerWidth"


def reach(page: Page, wanted: Locator) -> None:
    """Press Tab until the element has the focus; on a page without focus yet, past the menus.

    Fails when the focus goes round without it, when what has the focus is hidden (WCAG 2.4.11), and when the page is
    wider than its window (1.4.10).
    """
    if page.evaluate(IS_FRESH) and wanted.evaluate(IS_CONTENT):
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
    first, has_left = None, False
    for step in range(STEPS_MAX):
        where = wanted.evaluate(WHERE, first)
        if where == "there":
            break
        assert not (has_left and where == "at the first"), f"Tab goes round and does not come to {wanted}"
        has_left = has_left or (first is not None and where == "elsewhere")  # a date alone has several stops
        if step == 1:
            first = page.evaluate_handle("document.activeElement")
        page.keyboard.press("Tab")
    else:
        raise AssertionError(f"{STEPS_MAX} times Tab do not lead to {wanted}")
    assert wanted.evaluate(IS_SEEN), f"{wanted} has the focus and is hidden"
    assert page.evaluate(TOO_WIDE) <= 0, page.url


def press(page: Page, wanted: Locator, key: str = "Enter") -> None:
    reach(page, wanted)
    page.keyboard.press(key)


def follow(page: Page, wanted: Locator) -> None:
    """Follow a link to its page."""
    reach(page, wanted)
    go(page)


def go(page: Page) -> None:
    """Press Enter and wait until another page has loaded."""
    page.evaluate("document.documentElement.dataset.isLeft = ''")
    page.keyboard.press("Enter")
    expect(page.locator("html[data-is-left]")).to_have_count(0, timeout=LIMIT_MS)
    page.wait_for_load_state()


def write(page: Page, field: Locator, text: str) -> None:
    """Replace the text of a field: Tab into a field selects it."""
    reach(page, field)
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def choose(page: Page, select: Locator, words: str) -> None:
    """Choose an option by its first letters."""
    reach(page, select)
    page.keyboard.type(words)
