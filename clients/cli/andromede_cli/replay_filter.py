"""Filter the replayed output of a guest's serial console: remove sequences that a terminal answers.

A terminal answers queries (cursor position, device attributes) at once, and the guest would read the answer as keys. So
only those control sequences stay that are known to have no answer.
"""

from __future__ import annotations

import re

# Cancels what came before it, so that nothing to the left and right of a gap makes a sequence together.
CANCEL = "\x18"
CONTROLS = "\x00-\x17\x19\x1c-\x1f\x7f"  # carried out by a terminal inside a sequence, which goes on behind them
SPLIT = re.compile(f"\x1b[{CONTROLS}]+")
SEQUENCE = re.compile(
    f"""
    \x1b\\[ (?P<body> [{CONTROLS}\x20-\x3f]* ) (?P<final> [\x40-\x7e] )     # CSI; the names are those of ECMA-48
    | \x1b\\[ (?= [{CONTROLS}\x20-\x3f]* [^{CONTROLS}\x20-\x3f] )           # a CSI that another control aborts
    | \x1b [\\]PX^_] [^\x07\x18\x1a\x1b]* (?: \x07 | \x1b\\\\ )?            # OSC, DCS, SOS, PM and APC: strings
    | \x1bZ | \x05 | [\x80-\x9f]                                            # DECID, ENQ, and C1 in one character
    """,
    re.VERBOSE,
)
# Moving, erasing, scrolling, colours and modes.
UNANSWERED = re.compile(r"[0-9;:]*[@A-HJ-MPSTXZ`a-bd-hlmrsu]|\?[0-9;]*[hlJK]|[0-9]*I")


def without_questions(data: bytes) -> bytes:
    """Return the replayed bytes with every sequence cancelled that a terminal could answer. What is cut off at the very
    end stays: the guest may write the rest of it now."""
    text = SPLIT.sub("\x1b", data.decode(errors="replace"))
    return SEQUENCE.sub(_kept, text).encode()


def _kept(match: re.Match[str]) -> str:
    is_known = match["final"] and UNANSWERED.fullmatch(match["body"] + match["final"])
    return match[0] if is_known else CANCEL
