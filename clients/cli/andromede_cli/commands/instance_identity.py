"""Identity documents of instances: their public keys, and their verification, which needs no account."""

from __future__ import annotations

import json
import sys
from gettext import gettext as _
from pathlib import Path
from typing import Annotated, Any

import typer

from andromede_cli.command import command
from andromede_cli.error_reports import Misuse
from andromede_cli.session import Session

Document = Annotated[
    typer.FileText, typer.Argument(metavar="FILE", help=_("The document; - is standard input."), show_default=False)
]
Keys = Annotated[
    Path | None,
    typer.Option("--keys", help=_("File of the public keys; default: those of the API."), exists=True, dir_okay=False),
]
Issuer = Annotated[str | None, typer.Option("--issuer", help=_("Refuse documents of another issuer."))]


def register(instances: typer.Typer) -> None:
    command(instances, "identity-keys", _("Print the public keys of identity documents."))(identity_keys)
    command(instances, "identity-verify", _("Verify the identity document of an instance."))(identity_verify)


def identity_keys(me: Session) -> None:
    sys.stdout.write(json.dumps(_published(me), indent=2) + "\n")


def identity_verify(me: Session, document: Document, keys: Keys = None, issuer: Issuer = None) -> None:
    from andromede_sdk.identity import verify_identity

    try:
        public = _published(me) if keys is None else json.loads(keys.read_text())
        me.show(verify_identity(document.read(), public, issuer=issuer))
    except ImportError as exc:
        raise Misuse(_("This needs the package joserfc: pip install joserfc")) from exc


def _published(me: Session) -> dict[str, Any]:
    return dict(me.client.jwks.get().raw)
