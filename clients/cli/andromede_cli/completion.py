"""Complete names at the Tab key, from the API. After any error, nothing is offered."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import Any

import typer

from andromede_cli import language, output
from andromede_cli.session import Root, Session, open_client
from andromede_sdk import resources

PATIENCE_S = 3.0
AT_MOST = 200


def method_of(managers: Any, call: str) -> Callable[..., Any]:
    """Return the call `manager.method` of a client, or the function of the class."""
    manager, _dot, name = call.partition(".")
    method: Callable[..., Any] = getattr(getattr(managers, manager), name)
    return method


def takes(call: str) -> dict[str, inspect.Parameter]:
    """Return the parameters of a call of the SDK, by name."""
    manager, _dot, name = call.partition(".")
    kind = getattr(resources, "".join(word.title() for word in manager.split("_")))
    parameters = dict(inspect.signature(getattr(kind, name)).parameters)
    del parameters["self"]
    return parameters


def names(call: str) -> Callable[[typer.Context, str], list[str]]:
    """Complete an argument with the names of a list."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        matches: list[str] = []
        with suppress(Exception), _session(ctx) as me:
            words = {"organization": me.organization(ctx.params.get("organization"))} if _is_owned(call) else {}
            listing = method_of(me.client, call)(**words)
            matches = [output.name_of(each.raw) for each in islice(listing, AT_MOST)]
        return [name for name in matches if name.startswith(incomplete)]

    return complete


def _is_owned(call: str) -> bool:
    return "organization" in {name for name, each in takes(call).items() if each.default is inspect.Parameter.empty}


def _session(ctx: typer.Context) -> Session:
    """Open a session from the command line so far, since no command has run."""
    from andromede_sdk import Retry

    before = ctx.find_root().params
    root = Root(before.get("profile"), before.get("url"), before.get("project"))
    language.choose([])
    me = Session(root, project=ctx.params.get("project"))
    me.client = open_client(me.profile, retry=Retry(tries=1), timeout_s=PATIENCE_S)
    return me
