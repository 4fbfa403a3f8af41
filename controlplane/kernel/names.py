"""Rules for names and labels. One rule for all kinds, narrow enough for host names, URLs and log lines."""

import re
from collections.abc import Mapping
from uuid import UUID

from andromede_core.documents.labels import LABEL_KEY, LABEL_VALUE, LABELS_MAX
from andromede_core.documents.messages import Message
from controlplane.kernel.errors import InvalidRequest

NAME_MAX = 63
NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
NAME_RULE = Message(
    "1 to 63 lower-case letters, digits and hyphens, beginning with a letter and not ending with a hyphen"
)


class InvalidName(InvalidRequest):
    code = "invalid_name"
    title = "Invalid name"
    detail = "{name!r} is not a valid name: use {rule}."


class InvalidLabels(InvalidRequest):
    code = "invalid_labels"
    title = "Invalid labels"
    detail = "The label {key!r} is not valid: keys and values have up to 63 letters, digits and - _ . /"


def check_name(name: str, *, field: str = "name") -> str:
    """Return `name` when it is valid; raises InvalidName."""
    if not NAME.fullmatch(name) or as_uuid(name) is not None:
        raise InvalidName(field=field, name=name[:80], rule=NAME_RULE)
    return name


def check_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels when all are valid; raises InvalidLabels naming the first invalid one."""
    if len(labels) > LABELS_MAX:
        raise InvalidLabels(field="labels", key=f"number {LABELS_MAX + 1}")
    for key, value in labels.items():
        if not LABEL_KEY.fullmatch(key) or not LABEL_VALUE.fullmatch(value):
            raise InvalidLabels(field="labels", key=key[:80])
    return dict(labels)


def as_uuid(text: str) -> UUID | None:
    """Return the UUID that `text` spells in its canonical form, or None: paths take an id or a name."""
    try:
        value = UUID(text)
    except ValueError:
        return None
    return value if str(value) == text.lower() else None
