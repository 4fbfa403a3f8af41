"""Facts of zones and parties, their sources, and the conclusions."""

from __future__ import annotations

from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from andromede_cli.columns import ID, NAME
from andromede_cli.command import DRY_RUN, command, group
from andromede_cli.declared_commands import (
    call_command,
    delete_command,
    document,
    list_command,
    option,
    rows,
    show_command,
)
from andromede_cli.error_reports import Misuse
from andromede_cli.files import named, read_document, read_text
from andromede_cli.output import Column, Format
from andromede_cli.session import Session
from andromede_cli.terminal import print_note

if TYPE_CHECKING:
    from andromede_sdk.models import SignedFactInput

FACTS = [
    Column(_("of"), "subject_kind"),
    Column("", "subject_id"),
    Column(_("attribute"), "attribute"),
    Column(_("value"), "value"),
    Column(_("from"), "valid_from"),
    Column(_("until"), "valid_to"),
    Column(_("review by"), "review_by", is_wide=True),
    Column(_("assertion"), "assertion", is_wide=True),
    Column(_("delivered by"), "delivered_by", is_wide=True),
    Column(_("author"), "author", is_wide=True),
    ID,
]
PARTIES = [Column("id", "id"), NAME, Column(_("overdue"), "overdue")]
SETS = [
    NAME,
    Column(_("kind"), "kind"),
    Column(_("members"), "members"),
    Column(_("review by"), "review_by", is_wide=True),
]
KEYS = [
    Column(_("officer"), "officer"),
    Column(_("from"), "not_before"),
    Column(_("until"), "not_after"),
    Column(_("revoked"), "revoked_at"),
    Column("id", "id"),
]
JURISDICTIONS = [
    Column(_("zone"), "zone"),
    Column(_("territory"), "territory"),
    Column(_("statutes"), "statutes"),
    Column(_("complete"), "is_complete"),
]
TRANSFERS = [
    Column(_("zone"), "zone"),
    Column(_("territory"), "territory"),
    Column(_("transfers"), "transfers"),
    Column(_("unknown"), "unknown"),
]
Officer = Annotated[
    str,
    typer.Argument(metavar="OFFICER", help=_("Name of the officer, as facts show it as author."), show_default=False),
]
KeyFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help=_("The public key, in PEM or as manage.py officer_key create prints it. - is standard input."),
        show_default=False,
    ),
]
FactsFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help=_("JSON or YAML: a list of signed facts, or one under `facts`. - is standard input.")
    ),
]


def register(app: typer.Typer) -> None:
    app.add_typer(_facts(), name="fact")
    parties = group(_("Parties: who owns, operates and maintains zones."))
    list_command(parties, _("List parties."), "parties.list", PARTIES, "name")
    show_command(parties, _("Show a party with its facts."), "parties.get", "PARTY")
    app.add_typer(parties, name="party")
    sets = group(_("Named sets of territories and the like, and classes of certification schemes."))
    list_command(sets, _("List sets."), "sets.list", SETS, "kind")
    app.add_typer(sets, name="set")
    transparency = group(_("Reports on jurisdictions and data flows of zones."))
    list_command(
        transparency,
        _("List by zone the jurisdictions that reach it."),
        "jurisdictions.list",
        JURISDICTIONS,
        "region",
        name="jurisdictions",
    )
    list_command(
        transparency,
        _("List by zone the transfers out of it."),
        "transfers.list",
        TRANSFERS,
        "region",
        name="transfers",
    )
    call_command(
        transparency, "catalogue", _("Export all facts in force as one document."), "catalogue.get", show=document
    )
    app.add_typer(transparency, name="transparency")
    app.add_typer(_officer_keys(), name="officer-key")


def _facts() -> typer.Typer:
    facts = group(_("Facts: signed statements about zones and parties, with their period."))
    call_command(
        facts,
        "list",
        _("List facts, all or of one subject."),
        "facts.list",
        option(
            "subject_kind",
            "--of",
            _("Filter by kind of subject: zone, party, set, scheme_class, region, node or pool."),
            default=None,
        ),
        option("subject_id", "--subject", _("Filter by subject id."), default=None),
        option("attribute", "--attribute", _("Only this attribute."), default=None),
        option("key_id", "--key", _("Signed with this key."), default=None),
        option("at", "--at", _("Valid time: facts in force at this moment (RFC 3339)."), default=None),
        option(
            "believed_at",
            "--believed-at",
            _("Transaction time: facts as recorded at this moment (RFC 3339)."),
            default=None,
        ),
        show=rows(FACTS),
    )
    command(facts, "state", _("State facts that officers have signed."), DRY_RUN)(state)
    return facts


def state(me: Session, file: FactsFile) -> None:
    facts = read_document(file, "facts")
    if not facts:
        raise Misuse(_("{file} has no signed facts.").format(file=named(file)))
    done = me.client.facts.state(facts=cast("list[SignedFactInput]", facts), dry_run=me.is_dry_run)
    if me.form in (Format.JSON, Format.YAML):
        me.show(done)
        return
    me.list(done.stated, FACTS)
    counts = _("Epoch {epoch}: {stated} stated, {superseded} superseded, {unchanged} believed already.")
    stated, superseded, unchanged = len(done.stated), done.superseded, done.unchanged
    print_note(counts.format(epoch=done.epoch, stated=stated, superseded=superseded, unchanged=unchanged))


def _officer_keys() -> typer.Typer:
    keys = group(_("Keys with which officers sign facts and approvals."))
    list_command(keys, _("List keys."), "officer_keys.list", KEYS, "officer")
    command(keys, "create", _("Register the public key of an officer; for operators."), DRY_RUN)(officer_key_create)
    question = _("Revoke {names}? The facts that it signed have to be signed again.")
    delete_command(keys, _("Revoke keys."), "officer_keys.revoke", "KEY...", question)
    return keys


def officer_key_create(
    me: Session,
    officer: Officer,
    file: KeyFile,
    key_id: Annotated[
        str | None, typer.Option("--key-id", help=_("Name of the key; by default derived from the key."))
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            "--user",
            help=_("Id of the officer's account, as `andromede whoami` shows it: needed to approve exemptions."),
        ),
    ] = None,
    since: Annotated[str | None, typer.Option("--from", help=_("From this moment on (RFC 3339)."))] = None,
    until: Annotated[
        str | None, typer.Option("--until", help=_("End of validity (RFC 3339); two years by default."))
    ] = None,
) -> None:
    key = me.client.officer_keys.create(
        officer=officer,
        public_key=read_text(file),
        key_id=key_id,
        user_id=user,
        not_before=since,
        not_after=until,
        dry_run=me.is_dry_run,
    )
    me.show(key)
    if not me.is_dry_run:
        print_note(_("Nodes believe it once it is in the keyset: manage.py keyset_publish"))
