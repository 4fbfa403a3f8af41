"""Webhooks and their deliveries."""

from __future__ import annotations

from gettext import gettext as _

import typer

from andromede_cli.columns import ID, LABELS, NAME, STATE
from andromede_cli.command import LabelsOption, group, parameter
from andromede_cli.declared_commands import (
    call_command,
    delete_command,
    filters,
    given,
    list_command,
    option,
    rows,
    secret,
    show_command,
)
from andromede_cli.output import Column

WEBHOOKS = [
    NAME,
    Column("url", "url"),
    Column(_("kinds"), "kinds"),
    Column(_("enabled"), "is_enabled"),
    Column(_("old secret until"), "previous_secret_ends_at", is_wide=True),
    LABELS,
    ID,
]
DELIVERIES = [
    Column("id", "id"),
    Column(_("kind"), "event.kind"),
    STATE,
    Column(_("tries"), "attempts.*.status"),
    Column(_("error"), "attempts.*.error"),
    Column(_("created"), "created_at"),
    Column(_("next try"), "next_attempt_at", is_wide=True),
]
KINDS = _("Event kind to deliver, such as instance.* or operation.failed; repeatable.")
SUBJECT = given("webhook", "WEBHOOK", _("By name or id."), completes="webhooks.list")
DELIVERY = given("delivery", "DELIVERY")
LABEL = parameter("labels", LabelsOption, None)


def register(app: typer.Typer) -> None:
    webhooks = group(_("Webhooks: send events to your server."))
    list_command(webhooks, _("The webhooks of the project."), "webhooks.list", WEBHOOKS, "name", "labels")
    show_command(webhooks, _("A webhook."), "webhooks.get", "WEBHOOK")
    call_command(
        webhooks,
        "create",
        _("Create a webhook. Its secret is shown once."),
        "webhooks.create",
        given("name", "NAME"),
        option("url", "--to", _("HTTPS URL of the receiver.")),
        option("kinds", "--kind", KINDS, list[str]),
        LABEL,
        show=secret("secret"),
    )
    call_command(
        webhooks,
        "update",
        _("Change it, disable or enable it."),
        "webhooks.update",
        SUBJECT,
        option("name", "--name", _("The new name."), default=None),
        option("url", "--to", _("HTTPS URL of the receiver."), default=None),
        option("kinds", "--kind", KINDS, list[str], None),
        option("is_enabled", "--enable/--disable", _("Deliver events to the webhook."), bool, None),
        LABEL,
    )
    question = _("Delete {names}? Undelivered events are lost.")
    delete_command(webhooks, _("Delete webhooks."), "webhooks.delete", "WEBHOOK...", question)
    call_command(webhooks, "ping", _("Send a test event."), "webhooks.ping", SUBJECT)
    _rotation(webhooks)
    _deliveries(webhooks)
    app.add_typer(webhooks, name="webhook")


def _rotation(webhooks: typer.Typer) -> None:
    hours = option("overlap_hours", "--overlap-hours", _("For how long the old secret signs too."), int, None)
    help = _("Create a new secret. It is shown once.")
    call_command(webhooks, "rotate-secret", help, "webhooks.rotate_secret", SUBJECT, hours, show=secret("secret"))
    call_command(webhooks, "end-rotation", _("End the old secret now."), "webhooks.end_rotation", SUBJECT)


def _deliveries(webhooks: typer.Typer) -> None:
    parameters = filters("state", "kind", "created_after")
    help = _("List deliveries and their results, newest first.")
    call_command(webhooks, "deliveries", help, "webhooks.delivery_list", SUBJECT, *parameters, show=rows(DELIVERIES))
    call_command(webhooks, "delivery", _("A delivery, with its tries."), "webhooks.delivery", SUBJECT, DELIVERY)
    help = _("Send an event again.")
    call_command(webhooks, "redeliver", help, "webhooks.delivery_redeliver", SUBJECT, DELIVERY)
