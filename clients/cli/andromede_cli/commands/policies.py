"""Policies, who may change them, and what they demand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from gettext import gettext as _
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from andromede_cli.command import (
    DRY_RUN,
    Id,
    command,
    group,
    list_command,
    show_command,
)
from andromede_cli.failures import Misuse
from andromede_cli.output import Column
from andromede_cli.session import Session
from andromede_cli.terminal import say
from andromede_sdk.models import Policy, PolicySet

STDIN = Path("-")
PROPOSALS = [
    Column("id", "id"),
    Column(_("level"), "level"),
    Column(_("change"), "change"),
    Column(_("state"), "state"),
    Column(_("reason"), "reason"),
    Column(_("not before"), "not_before"),
]
CLASSIFICATIONS = [
    Column("id", "id"),
    Column(_("title"), "title"),
    Column(_("on drift"), "drift_action"),
    Column(_("supported"), "is_supported"),
    Column(_("description"), "description", is_wide=True),
]
Organization = Annotated[
    str | None, typer.Option("--organization", help=_("The policy of this organization."), show_default=False)
]
Classification = Annotated[
    str | None, typer.Option("--classification", help=_("The policy of this classification."), show_default=False)
]
Platform = Annotated[bool, typer.Option("--platform", help=_("The policy of the platform."))]
PolicyFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help=_("YAML or JSON: a list of clauses, or one under `atoms`. - is standard input.")
    ),
]
Reason = Annotated[str | None, typer.Option("--reason", help=_("Why, when it demands less than before."))]
Version = Annotated[
    str | None,
    typer.Option("--if-version", help=_("Only if this version is in force; * for any. Else: the one that is now.")),
]


def register(app: typer.Typer) -> None:
    policies = group(_("Policies: where data may be."))
    command(policies, "show", _("The policy of the project, or of what is named."))(show)
    command(policies, "set", _("Put another policy in its place."), DRY_RUN)(replace)
    app.add_typer(policies, name="policy")
    proposals = group(_("Policies that demand less, and wait for a second person."))
    list_command(proposals, _("All proposals."), "policy_proposals", PROPOSALS, "state")
    show_command(proposals, _("A proposal."), "policy_proposals", "PROPOSAL")
    command(proposals, "approve", _("Approve a proposal, as the second person."))(approve)
    command(proposals, "withdraw", _("Take a proposal back."))(withdraw)
    app.add_typer(proposals, name="proposal")
    classifications = group(_("Classifications of data."))
    list_command(classifications, _("All classifications."), "classifications", CLASSIFICATIONS)
    show_command(classifications, _("A classification."), "classifications", "CLASSIFICATION")
    app.add_typer(classifications, name="classification")


def _level(
    me: Session, organization: str | None, classification: str | None, platform: bool
) -> tuple[Callable[[], Policy], Callable[..., PolicySet]]:
    """How the policy of that level is read and written."""
    client = me.client
    if sum(map(bool, (organization, classification, platform))) > 1:
        raise Misuse(_("One of --organization, --classification and --platform, and no more."))
    if organization:
        owner = organization
        return lambda: client.organizations.policy(owner), lambda **b: client.organizations.policy_set(owner, **b)
    if classification:
        name = classification
        return lambda: client.classifications.policy(name), lambda **b: client.classifications.policy_set(name, **b)
    return (client.platform.policy, client.platform.policy_set) if platform else (client.policy.get, client.policy.set)


def show(
    me: Session, organization: Organization = None, classification: Classification = None, platform: Platform = False
) -> None:
    read, _write = _level(me, organization, classification, platform)
    me.show(read())


def replace(
    me: Session,
    file: PolicyFile,
    reason: Reason = None,
    if_version: Version = None,
    organization: Organization = None,
    classification: Classification = None,
    platform: Platform = False,
) -> None:
    atoms = _atoms(file)
    read, write = _level(me, organization, classification, platform)
    version: str | int = read().version if if_version is None else if_version
    if isinstance(version, str) and version.isdecimal():
        version = int(version)
    answer = write(atoms=atoms, reason=reason, if_match=version, dry_run=me.is_dry_run)
    me.show(answer)
    if me.is_dry_run:
        say(_("Nothing was changed: this is what would be."))
    elif answer.proposal is not None:
        waiting = _("It demands less than before, and waits for a second person: andromede proposal approve {id}")
        say(waiting.format(id=answer.proposal.id))


def _atoms(file: Path) -> list[dict[str, Any]]:
    try:
        document = yaml.safe_load(sys.stdin.read() if file == STDIN else file.read_text())
    except (OSError, ValueError, yaml.YAMLError) as exc:
        raise Misuse(_("{file} cannot be read: {reason}").format(file=file, reason=exc)) from exc
    atoms = document.get("atoms") if isinstance(document, dict) else document
    if not isinstance(atoms, list) or not all(isinstance(each, dict) for each in atoms):
        raise Misuse(_("{file} has no list of clauses.").format(file=file))
    return atoms


def approve(me: Session, id: Id) -> None:
    me.show(me.client.policy_proposals.approve(id))


def withdraw(me: Session, id: Id) -> None:
    me.show(me.client.policy_proposals.withdraw(id))
