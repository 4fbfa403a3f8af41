"""Choose the language of all output: by --language, else from the environment as gettext does.

The choice comes before any text is made, since help texts are made when the commands are imported.
"""

import gettext
import os
from collections.abc import Sequence
from pathlib import Path

DOMAIN = "andromede"
FOLDER = Path(__file__).parent / "locale"
KNOWN = ("en", "fr")
VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
OPTION = "--language"


def choose(arguments: Sequence[str]) -> None:
    """Set the language; Typer takes its own texts from the same catalogue."""
    if (chosen := _requested_language(arguments)) in KNOWN:
        os.environ["LANGUAGE"] = chosen
    gettext.bindtextdomain(DOMAIN, FOLDER)
    gettext.textdomain(DOMAIN)


def _requested_language(arguments: Sequence[str]) -> str:
    for number, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == OPTION:
            return next(iter(arguments[number + 1 : number + 2]), "")
        if argument.startswith(f"{OPTION}="):
            return argument.partition("=")[2]
    return ""


def current() -> str:
    """Return the language for API requests: the first known one of the environment."""
    texts = next((os.environ[name] for name in VARIABLES if os.environ.get(name)), "")
    languages = [text[:2].lower() for text in texts.split(":")]
    return next((each for each in languages if each in KNOWN), "en")
