"""Configurations of routers in the how-to."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs/how-to/connect-the-cloud-to-your-routers.md"


def router_configuration(router: str) -> str:
    """Return the configuration under the heading of this router."""
    match = re.search(rf"^### {router}\n\n```\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert match is not None, f"the how-to has no configuration of {router}"
    return match[1]
