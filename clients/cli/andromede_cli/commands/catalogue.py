"""What is known of zones and those who run them: facts, who stated them, and what follows."""

from __future__ import annotations

from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from andromede_cli.calls import call_command, delete_command, document, given, list_command, option, rows, show_command
from andromede_cli.command import DRY_RUN, command, group
from andromede_cli.failures import Misuse
from andromede_cli.files import read_document
from andromede_cli.output import Column
from andromede_cli.session import Session

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
    Column(_("author"), "author", is_wide=True),
    Column("id", "id", is_wide=True),
]
PARTIES = [Column("id", "id"), Column(_("name"), "name"), Column(_("overdue"), "overdue")]
SETS = [
    Column(_("name"), "name"),
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
FactsFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help=_("JSON or YAML: a list of signed facts, or one under `facts`. - is standard input.")
    ),
]


def register(app: typer.Typer) -> None:
    app.add_typer(_facts(), name="fact")
    parties = group(_("Parties: who owns, operates and maintains zones."))
    list_command(parties, _("All parties."), "parties.list", PARTIES, "name")
    show_command(parties, _("A party, with the facts that are known of it."), "parties.get", "PARTY")
    app.add_typer(parties, name="party")
    sets = group(_("Named sets of territories and the like, and classes of certification schemes."))
    list_command(sets, _("All sets."), "sets.list", SETS, "kind")
    app.add_typer(sets, name="set")
    transparency = group(_("Under whose law zones are, and where what is known of guests goes."))
    list_command(
        transparency,
        _("By zone: whose law reaches it."),
        "jurisdictions.list",
        JURISDICTIONS,
        "region",
        name="jurisdictions",
    )
    list_command(transparency, _("By zone: what leaves it."), "transfers.list", TRANSFERS, "region", name="transfers")
    call_command(
        transparency, "catalogue", _("All facts that are in force, as one document."), "catalogue.get", show=document
    )
    app.add_typer(transparency, name="transparency")
    app.add_typer(_officer_keys(), name="officer-key")


def _facts() -> typer.Typer:
    facts = group(_("Facts: what is stated of zones and parties, by whom and until when."))
    call_command(
        facts,
        "list",
        _("All facts, or those of one subject."),
        "facts.list",
        option("subject_kind", "--of", _("Of a zone, party, set, scheme_class, region, node or pool."), default=None),
        option("subject_id", "--subject", _("Of the one with this id."), default=None),
        option("attribute", "--attribute", _("Only this attribute."), default=None),
        option("key_id", "--key", _("Signed with this key."), default=None),
        option("at", "--at", _("What held at this moment (RFC 3339)."), default=None),
        option("believed_at", "--believed-at", _("What was believed at this moment (RFC 3339)."), default=None),
        show=rows(FACTS),
    )
    command(facts, "state", _("State facts that officers have signed."), DRY_RUN)(state)
    return facts


def state(me: Session, file: FactsFile) -> None:
    found = read_document(file, "facts")
    if not found:
        raise Misuse(_("{file} has no signed facts.").format(file=file))
    me.show(me.client.facts.state(facts=cast("list[SignedFactInput]", found), dry_run=me.is_dry_run))


def _officer_keys() -> typer.Typer:
    keys = group(_("Keys with which officers sign facts and approvals."))
    list_command(keys, _("All keys."), "officer_keys.list", KEYS, "officer")
    call_command(
        keys,
        "create",
        _("Register the public key of an officer."),
        "officer_keys.create",
        given("officer", "OFFICER"),
        option("public_key", "--public-key", _("As manage.py officer_key prints it.")),
        option("key_id", "--key-id", _("How it is named."), default=None),
        option("user_id", "--user", _("Whose it is, by id."), default=None),
        option("not_before", "--from", _("From this moment on (RFC 3339)."), default=None),
        option("not_after", "--until", _("Until this moment (RFC 3339)."), default=None),
    )
    question = _("Revoke {names}? Facts that it has signed are to be stated anew.")
    delete_command(keys, _("Revoke keys."), "officer_keys.revoke", "KEY...", question)
    return keys
