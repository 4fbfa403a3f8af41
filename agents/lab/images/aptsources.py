"""Sources of Debian packages of this machine's apt; the project names no mirror of its own."""

from __future__ import annotations

from agents.lab.shell import LabError, run

FIELDS = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)|$(ORIGIN)"
PASSED_ON = ("Acquire::Check-", "Acquire::http::Proxy", "Acquire::https::Proxy")


def of_release(codename: str) -> list[str]:
    """Return the apt sources of Debian's `codename`, its updates and its security fixes, as this machine has them.

    Raises:
        LabError: apt has none (or "apt-get update" was never run).
    """
    suites = {codename, f"{codename}-updates", f"{codename}-security"}
    lines = []
    for target in run(["apt-get", "indextargets", "--format", FIELDS, "Created-By: Packages"]).splitlines():
        uri, release, component, signed_by, origin = target.split("|")
        if origin == "Debian" and release in suites and uri.startswith("http"):
            options = f"[signed-by={signed_by}] " if signed_by.startswith("/") else ""
            lines.append(f"deb {options}{uri} {release} {component}")
    if not lines:
        raise LabError(f"apt has no source of Debian {codename} on this machine.", codename=codename)
    return lines


def settings() -> list[str]:
    """Return apt's settings on this machine that decide whether it reaches and accepts its sources."""
    return [line for line in run(["apt-config", "dump"]).splitlines() if line.startswith(PASSED_ON)]
