"""Replace values that differ in each run (ids, times, secrets, signatures, ports) by stable, short ones."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

START, STEP = datetime(2026, 12, 1, 9, tzinfo=UTC), timedelta(minutes=5)
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
HEX = r"\b(?:[0-9a-f]{64}|[0-9a-f]{16})\b"
SECRET = r"\b(andromede_[a-z]{4,}_|andromede_|whsec_)[A-Za-z0-9_+/=-]{16,}"
ADDRESS = r"https?://(?:127\.0\.0\.1|localhost):\d+"
BASE64 = re.compile(r"(?=\S*[A-Z])[A-Za-z0-9+/_=-]{22,}")
PORT_NAME = r"\bport-[0-9a-f]{12}\b"
MAC = r"\b56(?::[0-9a-f]{2}){5}\b"
ANY = re.compile(
    "|".join(f"({part})" for part in (MOMENT, UUID, HEX, SECRET, ADDRESS, PORT_NAME, MAC, r"127\.0\.0\.1(?::\d+)?"))
)
EMBEDDED = re.compile(r"(?m)(?<=^)\{.*\}$|(?<=^data: )\{.*\}$")  # JSON in texts: documents, lines, events
# What else is other each time, by its name: what it looks like, and what stands in its place.
OPAQUE = r"[A-Za-z0-9_=-]{20,}"
VOLATILE = {
    "ascii_armor": (r"(?s).+", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n…\n-----END PGP PUBLIC KEY BLOCK-----\n"),
    "authorization_url": (r".+", "https://login.acme.example/authorization?client_id=andromede&state=8yPqkW…"),
    "begins_at": (r".+", "2026-10-01T00:00:00Z"),
    "binding": (r".{20,}", "andromede_binding_…"),
    "code": (r"[A-Za-z0-9_=-]{40,}", "Z0FBQUFB…"),
    "cursor": (OPAQUE, "MTA0Mg"),
    "after": (OPAQUE, "MTA0Mg"),
    "ends_at": (r".+", "2027-01-01T00:00:00Z"),
    "key_id": (r"[0-9A-F]{16}", "8EB89F1D5FB045AF"),
    "next_at": (r".+", "2026-12-02T01:30:00Z"),
    "next_page_token": (r".+", "WyIyMDI2…"),
    "otpauth_uri": (r".+", "otpauth://totp/Andromede:ada%40acme.example?secret=…&issuer=Andromede"),
    "prefix": (r"andromede_.+", "andromede_mRkV0"),
    "quarter": (r".+", "2026-Q4"),
    "recovery_codes": (r".+", "xxxx-xxxx-xxxx-xxxx"),
    "salt": (r".+", "p1Q0Zv…"),
    "secret": (r"[A-Z2-7]{32}", "JBSWY3DP…"),
    "state": (r"(?=.*[A-Z])" + OPAQUE, "8yPqkW…"),
}
CLOCK_VERSIONS = 10**9  # versions of signed documents begin at the clock, in seconds
EPOCHS = ("epoch", "facts_epoch")
SIX_DIGITS = re.compile(r"\d{6}")
OBJECTS_MAX, WORDS_MAX = 2, 10  # of a list


class Normalizer:
    """Replaces values.

    `began`: before any resource was made. `epoch`: of the facts, then. `fixed`: documents whose times and texts are the
    same each time, and stay as they are.
    """

    def __init__(self, began: datetime, epoch: int, fixed: Iterable[object]) -> None:
        self.began = began.replace(microsecond=0)  # some times are kept in whole seconds
        self.epoch = epoch
        texts = [text for document in fixed for text in _texts(document)]
        self.texts = {*texts}
        self.moments = {_read(moment) for text in texts for moment in re.findall(MOMENT, text)}
        self.known: dict[str, str] = {}

    def __call__(self, value: Any, *, of: str) -> Any:
        """Normalize a document. `of`: the prefix of its new ids, so that a new example changes no others."""
        return self._plain(value, "", (f"{of}:{number}" for number in count()))

    def _plain(self, value: Any, name: str, seeds: Iterator[str]) -> Any:
        if isinstance(value, dict):
            return {self._named(key, seeds): self._plain(each, key, seeds) for key, each in value.items()}
        if isinstance(value, list):
            shown = value[: OBJECTS_MAX if any(isinstance(each, dict | list) for each in value) else WORDS_MAX]
            return [self._plain(each, name, seeds) for each in shown]
        if isinstance(value, str):
            return self._text(value, name, seeds)
        if isinstance(value, int) and not isinstance(value, bool) and name.endswith("_ms"):
            return 12
        if name == "version" and isinstance(value, int) and value > CLOCK_VERSIONS:
            return int(START.timestamp())
        if name in EPOCHS and value >= self.epoch:
            return value - self.epoch + 1
        return value

    def _text(self, text: str, name: str, seeds: Iterator[str]) -> str:
        if name in VOLATILE and re.fullmatch(VOLATILE[name][0], text):
            return VOLATILE[name][1]
        if text in self.texts:
            return text
        if SIX_DIGITS.fullmatch(text):
            return "123456"
        if EMBEDDED.search(text):
            return EMBEDDED.sub(lambda found: self._embedded(found[0], seeds), text)
        text = self._named(text, seeds)
        return BASE64.sub(lambda found: self._short(found[0], seeds), text) if "://" not in text else text

    def _named(self, text: str, seeds: Iterator[str]) -> str:
        return ANY.sub(lambda found: self._same(found[0], seeds), text)

    def _embedded(self, text: str, seeds: Iterator[str]) -> str:
        return json.dumps(self._plain(json.loads(text), "", seeds), separators=(",", ":"), ensure_ascii=False)

    def _same(self, text: str, seeds: Iterator[str]) -> str:
        if re.fullmatch(MOMENT, text):
            return self._moment(text)
        if text.startswith("http"):
            return "https://login.acme.example"
        if text.startswith("127."):
            return "192.0.2.11:7443" if ":" in text else "198.51.100.7"
        if secret := re.fullmatch(SECRET, text):
            return f"{secret[1]}…"
        if text not in self.known:
            digest = hashlib.sha256(next(seeds).encode()).hexdigest()
            if text.startswith("port-"):
                self.known[text] = f"port-{digest[:12]}"
                return self.known[text]
            if ":" in text:
                self.known[text] = "56:" + ":".join(digest[at : at + 2] for at in range(0, 10, 2))
                return self.known[text]
            id = f"019adc33-{digest[:4]}-7{digest[4:7]}-8{digest[7:10]}-{digest[10:22]}"
            self.known[text] = id if "-" in text else digest[: len(text)]
        return self.known[text]

    def _short(self, text: str, seeds: Iterator[str]) -> str:
        """Shorten keys, signatures and hashes in base64; they stay base64."""
        if text not in self.known:
            self.known[text] = hashlib.sha256(next(seeds).encode()).hexdigest()[:12].upper()
        return self.known[text]

    def _moment(self, text: str) -> str:
        """Move a moment to its distance from START. Durations of up to STEP do not show."""
        moment = _read(text)
        if moment in self.moments:
            return text
        return (START + (moment - self.began) // STEP * STEP).isoformat().replace("+00:00", "Z")


def _read(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _texts(document: object) -> Iterator[str]:
    if isinstance(document, dict):
        for name, value in document.items():
            yield from (*_texts(name), *_texts(value))
    elif isinstance(document, list | tuple):
        for value in document:
            yield from _texts(value)
    elif isinstance(document, str):
        yield document
