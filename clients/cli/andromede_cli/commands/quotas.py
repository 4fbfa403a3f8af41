"""Quotas, their usage, and requests for more."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from andromede_cli.columns import CREATED, STATE
from andromede_cli.command import DRY_RUN, OrganizationOption, command, group
from andromede_cli.declared_commands import PROJECT, call_command, given, list_command, option, rows, show_command
from andromede_cli.output import Column
from andromede_cli.session import Session

if TYPE_CHECKING:
    from andromede_sdk.models import QuotaLimitsInput

LIMITS = [Column(_("dimension"), "dimension"), Column(_("used"), "used"), Column(_("limit"), "limit")]
REQUESTS = [
    Column(_("dimension"), "dimension"),
    Column(_("limit"), "limit"),
    STATE,
    Column(_("reason"), "reason"),
    Column(_("answer"), "answer"),
    CREATED,
    Column("id", "id"),
]
Limits = Annotated[
    list[str],
    typer.Argument(
        metavar="DIMENSION=NUMBER...",
        help=_("Limit, such as vcpus=40; vcpus=default removes it."),
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    limits = {PROJECT: "limits.get", "organization": "organizations.limits"}
    call_command(app, "limits", _("Usage and quotas of the project."), limits, show=rows(LIMITS, "items"))
    quotas = group(_("Quotas: limits that were set."))
    levels = {PROJECT: "quotas.get", "organization": "organizations.quotas"}
    call_command(quotas, "show", _("Show the limits that were set; other dimensions have the default limit."), levels)
    command(quotas, "set", _("Set limits. Those that are not named stay."), DRY_RUN)(replace)
    app.add_typer(quotas, name="quota")
    app.add_typer(_requests(), name="quota-request")


def replace(me: Session, limits: Limits, organization: OrganizationOption = None) -> None:
    """Replace the quota.

    The API replaces all limits at once, so the current ones are read first and must be unchanged.
    """
    client, dry = me.client, me.is_dry_run
    now = client.organizations.quotas(organization) if organization else client.quotas.get()
    requested = cast("QuotaLimitsInput", changed(now.limits, limits))
    if organization:
        me.show(client.organizations.quotas_set(organization, limits=requested, if_match=now.version, dry_run=dry))
    else:
        me.show(client.quotas.set(limits=requested, if_match=now.version, dry_run=dry))


def changed(limits: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    """Return the limits with the changes. Raises BadParameter."""
    new_limits = dict(limits)
    for text in texts:
        dimension, _equals, number = text.partition("=")
        if number == "default":
            new_limits.pop(dimension, None)
        elif number.isdecimal():
            new_limits[dimension] = int(number)
        else:
            raise typer.BadParameter(_("{text!r} is not a limit. Write vcpus=40.").format(text=text))
    return new_limits


def _requests() -> typer.Typer:
    requests = group(_("Requests for more than the quota of an organization."))
    list_command(requests, _("List requests."), "quota_requests.list", REQUESTS, "state", "dimension")
    show_command(requests, _("A request."), "quota_requests.get", "REQUEST")
    call_command(
        requests,
        "create",
        _("Request a higher quota."),
        "quota_requests.create",
        given("dimension", "DIMENSION", _("Dimension, such as vcpus; see andromede limits.")),
        option("limit", "--to", _("Requested limit."), int),
        option("reason", "--reason", _("Reason for the request.")),
    )
    subject = given("quota_request", "REQUEST", completes="quota_requests.list")
    answer = option("reason", "--reason", _("Reason shown to the organization."))
    for name, call, help in (
        ("approve", "quota_requests.approve", _("Grant a request; for operators.")),
        ("refuse", "quota_requests.refuse", _("Refuse a request; for operators.")),
    ):
        call_command(requests, name, help, call, subject, answer)
    call_command(requests, "withdraw", _("Withdraw a request."), "quota_requests.withdraw", subject)
    return requests
