"""Common parts of the commands that sign: the officer's key, and files of statements."""

import argparse
from datetime import datetime
from pathlib import Path

from django.core.management.base import CommandError, CommandParser

from andromede_core.documents.parsing import instant
from controlplane.catalog import officer_keys, signing_keys
from controlplane.kernel import clock


def add_key_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--key", type=Path, required=True, help="path of the officer's private key (PKCS#8, PEM, mode 0600)"
    )
    parser.add_argument("--key-id", default="", help="id of the registered key; default: derived from the key")


def moment(text: str) -> datetime:
    """Parse `now`, or an RFC 3339 timestamp with its offset."""
    parsed = clock.now() if text == "now" else instant(text)
    if parsed is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2027-01-31T00:00:00Z")
    return parsed


def officer_of(key_file: Path, key_id: str, name: str) -> signing_keys.Officer:
    """Return the officer of a key file.

    Raises:
        CommandError: the key file is unusable.
    """
    try:
        key = signing_keys.read_private_key(key_file)
    except signing_keys.BadKey as exc:
        raise CommandError(str(exc)) from exc
    return signing_keys.Officer(
        key_id or signing_keys.default_key_id(signing_keys.public_part(key)), name, signing_keys.signer(key)
    )


def registered_officer(key_file: Path, key_id: str) -> signing_keys.Officer:
    """Return the officer under the name that the key is registered for.

    Raises:
        CommandError, OfficerKeyNotFound
    """
    officer = officer_of(key_file, key_id, "")
    return signing_keys.Officer(officer.key_id, officer_keys.get(officer.key_id).officer, officer.sign)
