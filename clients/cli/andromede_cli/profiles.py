"""Profiles: control planes and tokens of a user.

They are in profiles.yaml in the operating system's configuration folder, readable for its owner alone.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from gettext import gettext as _
from pathlib import Path
from typing import Any

from andromede_cli.error_reports import Misuse

FILE = "profiles.yaml"
DEFAULT = "default"


@dataclass(frozen=True)
class Profile:
    """A profile. `ca_file`: the private authority's certificate that signed the control plane's."""

    url: str = ""
    token: str = field(default="", repr=False)
    project: str = ""
    ca_file: str = ""

    def overlaid(self, **others: str | None) -> Profile:
        """Return the profile with the given values instead of the stored ones."""
        return replace(self, **{name: text for name, text in others.items() if text})


@dataclass
class Profiles:
    current: str = DEFAULT
    known: dict[str, Profile] = field(default_factory=dict)

    def get(self, name: str) -> Profile:
        """Return the profile. Raises Misuse."""
        if name not in self.known:
            names = ", ".join(sorted(self.known)) or "-"
            raise Misuse(_("There is no profile {name!r}. Known profiles: {known}.").format(name=name, known=names))
        return self.known[name]


def path() -> Path:
    import platformdirs

    return Path(platformdirs.user_config_dir("andromede", appauthor=False)) / FILE


def load() -> Profiles:
    """Load the profiles. Raises Misuse: the file is invalid, or other users may read it."""
    file = path()
    try:
        mode, text = file.stat().st_mode, file.read_text()
    except FileNotFoundError:
        return Profiles()
    except (OSError, ValueError) as exc:
        raise Misuse(_("{file} cannot be read: {reason}").format(file=file, reason=exc)) from exc
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise Misuse(_("Other users can read the tokens in {file}. Run: chmod 600 {file}").format(file=file))
    return _read(text, file)


def _read(text: str, file: Path) -> Profiles:
    import yaml

    try:
        document = yaml.safe_load(text) or {}
        profiles = {str(name): Profile(**_texts(members)) for name, members in document.get("profiles", {}).items()}
        return Profiles(str(document.get("current", DEFAULT)), profiles)
    except (AttributeError, TypeError, yaml.YAMLError) as exc:
        raise Misuse(_("{file} cannot be read: {reason}").format(file=file, reason=exc)) from exc


def _texts(members: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(members[name]) for name in Profile.__dataclass_fields__ if members.get(name)}


def save(profiles: Profiles) -> None:
    """Save the profiles in one step, readable for the owner alone: a reader finds the old file or the new one."""
    import yaml

    document = {
        "current": profiles.current,
        "profiles": {
            name: {member: text for member, text in asdict(profile).items() if text}
            for name, profile in sorted(profiles.known.items())
        },
    }
    file = path()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{FILE}.")  # with mode 0600
    try:
        with os.fdopen(handle, "w") as out:
            yaml.safe_dump(document, out, allow_unicode=True, sort_keys=False)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
