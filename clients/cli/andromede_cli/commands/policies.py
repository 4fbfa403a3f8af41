"""Policies, their owners, and their clauses."""

from __future__ import annotations

from collections.abc import Callable
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from andromede_cli.columns import STATE
from andromede_cli.command import DRY_RUN, Name, OrganizationOption, command, group
from andromede_cli.declared_commands import PROJECT, call_command, given, list_command, option, show_command
from andromede_cli.error_reports import Misuse
from andromede_cli.files import read_document
from andromede_cli.output import Column
from andromede_cli.session import Session
from andromede_cli.terminal import print_note

if TYPE_CHECKING:
    from andromede_sdk.models import ChangeInput, LostInput, Policy, PolicySet, Proposal

PROPOSALS = [
    Column("id", "id"),
    Column(_("level"), "level"),
    Column(_("change"), "change"),
    STATE,
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
Reason = Annotated[str | None, typer.Option("--reason", help=_("Reason, required when the policy is relaxed."))]
Version = Annotated[
    str | None,
    typer.Option("--if-version", help=_("Only if this version is in force; * for any. Else: the one that is now.")),
]

Lost = Annotated[
    list[str] | None,
    typer.Option("--lost", help=_("Certificate to treat as lost, as zone/number; repeatable.")),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--change", help=_("Fact to change, as zone/fr-idf-1/network_class=1; repeatable.")),
]
At = Annotated[str | None, typer.Option("--at", help=_("At this moment (RFC 3339), not now."))]
PARTS = 3  # kind, subject and attribute


def register(app: typer.Typer) -> None:
    policies = group(_("Policies: locations that data may be in."))
    command(policies, "show", _("Show the policy of the project, or of the owner that the options name."))(show)
    command(policies, "set", _("Replace the policy."), DRY_RUN)(replace)
    help = _("Undo your last change of it, within ten minutes and as long as nothing was placed by it.")
    command(policies, "undo", help, DRY_RUN)(undo)
    help = _("Simulate lost certificates or changed facts and list the placements that would break. Changes nothing.")
    command(policies, "simulate", help)(simulate)
    app.add_typer(policies, name="policy")
    proposals = group(_("Proposals of policies that demand less, for approval by a second person."))
    list_command(proposals, _("List proposals."), "policy_proposals.list", PROPOSALS, "state")
    show_command(proposals, _("A proposal."), "policy_proposals.get", "PROPOSAL")
    help = _("Propose a looser policy for the project, or for the owner that the options name.")
    command(proposals, "create", help, DRY_RUN)(propose)
    subject = given("proposal", "PROPOSAL", completes="policy_proposals.list")
    approve = _("Approve a proposal, as the second person.")
    call_command(proposals, "approve", approve, "policy_proposals.approve", subject)
    call_command(proposals, "withdraw", _("Withdraw a proposal."), "policy_proposals.withdraw", subject)
    help = _("Propose to remove classifications from the data of a resource.")
    call_command(
        proposals,
        "declassify",
        help,
        "declassifications.propose",
        given("resource", "RESOURCE", _("Id of the resource.")),
        option(
            "classifications",
            "--classification",
            _("Classification to remove; repeatable."),
            list[str],
            None,
        ),
        option(
            "lineage",
            "--lineage",
            _("Lineage entry to remove, by id; repeatable."),
            list[str],
            None,
        ),
        option("reason", "--reason", _("Reason for the declassification.")),
        show=_proposed,
    )
    app.add_typer(proposals, name="proposal")
    app.add_typer(_classifications(), name="classification")


def _classifications() -> typer.Typer:
    classifications = group(_("Classifications of data."))
    levels = {PROJECT: "classifications.list", "organization": "organizations.classification_list"}
    list_command(classifications, _("List classifications."), levels, CLASSIFICATIONS)
    show_command(classifications, _("A classification."), "classifications.get", "CLASSIFICATION")
    help = _("Create a classification of an organization.")
    command(classifications, "create", help, DRY_RUN)(classification_create)
    return classifications


def _level(
    me: Session, organization: str | None, classification: str | None, platform: bool
) -> tuple[Callable[[], Policy], Callable[..., PolicySet]]:
    """Return the calls that read and write the policy of that level."""
    client = me.client
    _check_one(organization, classification, platform)
    if organization:
        owner = organization
        return lambda: client.organizations.policy(owner), lambda **b: client.organizations.policy_set(owner, **b)
    if classification:
        name = classification
        return lambda: client.classifications.policy(name), lambda **b: client.classifications.policy_set(name, **b)
    return (client.platform.policy, client.platform.policy_set) if platform else (client.policy.get, client.policy.set)


def undo(
    me: Session, organization: Organization = None, classification: Classification = None, platform: Platform = False
) -> None:
    client, is_dry_run = me.client, me.is_dry_run
    _check_one(organization, classification, platform)
    if organization:
        me.show(client.organizations.policy_undo(organization, dry_run=is_dry_run))
    elif classification:
        me.show(client.classifications.policy_undo(classification, dry_run=is_dry_run))
    elif platform:
        me.show(client.platform.policy_undo(dry_run=is_dry_run))
    else:
        me.show(client.policy.undo(dry_run=is_dry_run))


def _check_one(organization: str | None, classification: str | None, platform: bool) -> None:
    if sum(map(bool, (organization, classification, platform))) > 1:
        raise Misuse(_("Pass only one of --organization, --classification and --platform."))


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
    clauses = read_document(file, "atoms")
    read, write = _level(me, organization, classification, platform)
    version: str | int = read().version if if_version is None else if_version
    if isinstance(version, str) and version.isdecimal():
        version = int(version)
    answer = write(atoms=clauses, reason=reason, if_match=version, dry_run=me.is_dry_run)
    me.show(answer)
    if answer.proposal is not None:
        _announce_second_person(me, answer.proposal.id)


def _announce_second_person(me: Session, proposal: str) -> None:
    if not me.is_dry_run:
        waiting = _(
            "The policy demands less than before and needs a second person. Approve it with: andromede proposal "
            "approve {id}"
        )
        print_note(waiting.format(id=proposal))


def _proposed(me: Session, proposal: Proposal) -> None:
    me.show(proposal)
    _announce_second_person(me, proposal.id)


def propose(
    me: Session,
    file: PolicyFile,
    reason: Annotated[str, typer.Option("--reason", help=_("Reason for the relaxation."))],
    organization: Organization = None,
    classification: Classification = None,
    platform: Platform = False,
) -> None:
    """Propose a policy, for the current project unless an option names another owner; without any, the platform's."""
    _check_one(organization, classification, platform)
    project = None if organization or classification or platform else me.needed_project()
    proposal = me.client.policy_proposals.create(
        atoms=read_document(file, "atoms"),
        reason=reason,
        organization=organization,
        classification=classification,
        project=project,
        dry_run=me.is_dry_run,
    )
    _proposed(me, proposal)


def simulate(me: Session, lost: Lost = None, change: Changes = None, at: At = None) -> None:
    impact = me.client.policy.simulate(
        lost_certificates=[_lost(each) for each in lost or []],
        changes=[_change(each) for each in change or []],
        at=at,
    )
    me.show(impact)


def _lost(text: str) -> LostInput:
    zone, slash, number = text.partition("/")
    if not slash:
        raise typer.BadParameter(_("{text!r} is not a certificate. Write zone/number.").format(text=text))
    return {"zone": zone, "number": number}


def _change(text: str) -> ChangeInput:
    """Parse a change. The value is YAML: a text, a number, true, null or a list."""
    path, equals, value = text.partition("=")
    parts = path.split("/")
    if not equals or len(parts) != PARTS:
        raise typer.BadParameter(
            _("{text!r} is not a change of a fact. Write zone/fr-idf-1/network_class=1.").format(text=text)
        )
    kind, subject, attribute = parts
    return {"subject_kind": kind, "subject_id": subject, "attribute": attribute, "value": yaml.safe_load(value)}


def classification_create(
    me: Session,
    name: Name,
    file: PolicyFile,
    title: Annotated[str, typer.Option("--title", help=_("Title in English."))],
    title_fr: Annotated[str, typer.Option("--title-fr", help=_("Title in French."))],
    description: Annotated[str | None, typer.Option("--description", help=_("Description in English."))] = None,
    description_fr: Annotated[str | None, typer.Option("--description-fr", help=_("The same in French."))] = None,
    on_drift: Annotated[str | None, typer.Option("--on-drift", help=_("flag, freeze, evacuate or stop."))] = None,
    organization: OrganizationOption = None,
) -> None:
    classification = me.client.organizations.classification_create(
        me.organization(organization),
        name=name,
        title=title,
        title_fr=title_fr,
        description=description,
        description_fr=description_fr,
        drift_action=on_drift,
        atoms=read_document(file, "atoms"),
        dry_run=me.is_dry_run,
    )
    me.show(classification)
