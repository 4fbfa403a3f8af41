"""Turn a function into a command, with the options that all commands have."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence
from gettext import gettext as _
from pathlib import Path
from typing import Annotated, Any

import typer

from andromede_cli.completion import names
from andromede_cli.output import Format
from andromede_cli.session import Session
from andromede_cli.terminal import print_note

Function = Callable[..., None]
WAIT, SURE, DRY_RUN = "wait", "sure", "dry_run"

Output = Annotated[Format, typer.Option("--output", "-o", help=_("Output format."))]
ProjectOption = Annotated[
    str | None,
    typer.Option(
        "--project", help=_("Project, by name or id."), show_default=False, autocompletion=names("projects.list")
    ),
]
OrganizationOption = Annotated[
    str | None,
    typer.Option(
        "--organization",
        help=_("The organization, by name or id."),
        show_default=False,
        autocompletion=names("organizations.list"),
    ),
]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help=_("Wait until the operation has ended."))]
TimeoutOption = Annotated[float, typer.Option("--timeout", help=_("Maximum wait, in seconds."), min=0)]
SureOption = Annotated[bool, typer.Option("--yes", "-y", help=_("Do not ask for confirmation."))]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help=_("Dry run: show the result and change nothing."))]

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
Instance = Annotated[
    str,
    typer.Argument(
        metavar="INSTANCE", help=_("By name or id."), show_default=False, autocompletion=names("instances.list")
    ),
]
Volume = Annotated[
    str,
    typer.Argument(
        metavar="VOLUME", help=_("By name or id."), show_default=False, autocompletion=names("volumes.list")
    ),
]
GivenFile = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, show_default=False)
]
Id = Annotated[str, typer.Argument(metavar="ID", show_default=False)]
LabelsOption = Annotated[list[str] | None, typer.Option("--label", help=_("Label, as name=text; repeatable."))]
Zones = Annotated[
    list[str] | None,
    typer.Option("--zone", help=_("Allowed zone; repeatable."), autocompletion=names("zones.list")),
]
Classifications = Annotated[
    list[str] | None,
    typer.Option(
        "--classification",
        help=_("Classification of its data, permanent; repeatable."),
        autocompletion=names("classifications.list"),
    ),
]
Host = Annotated[
    str | None,
    typer.Option("--host", help=_("Run on this node only; for operators."), autocompletion=names("nodes.list")),
]
Exemption = Annotated[
    str | None, typer.Option("--exemption", help=_("Exemption to use against a policy that refuses."))
]


def group(help: str) -> typer.Typer:
    return typer.Typer(help=help, no_args_is_help=True, rich_markup_mode=None)


def parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


COMMON = [parameter("output", Output, Format.TABLE), parameter("project", ProjectOption, None)]
EXTRA = {
    WAIT: [parameter("wait", WaitOption, True), parameter("timeout", TimeoutOption, 600.0)],
    SURE: [parameter("sure", SureOption, False)],
    DRY_RUN: [parameter("dry_run", DryRunOption, False)],
}


def command(app: typer.Typer, name: str, help: str, *has: str, **more: Any) -> Callable[[Function], Function]:
    """Make a function a command. It gets a Session and its own parameters; the common ones go into the Session."""

    def decorate(function: Function) -> Function:
        hints = typing.get_type_hints(function, include_extras=True)
        own = [
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[each.name])
            for each in list(inspect.signature(function).parameters.values())[1:]
        ]
        register(app, name, help, function, [*own, *(each for word in has for each in EXTRA[word])], more)
        return function

    return decorate


def register(
    app: typer.Typer, name: str, help: str, function: Function, own: Sequence[inspect.Parameter], more: dict[str, Any]
) -> None:
    def run(ctx: typer.Context, /, **given: Any) -> None:
        me = Session(
            ctx.obj,
            form=given.pop("output"),
            project=given.pop("project"),
            is_waiting=given.pop("wait", True),
            timeout_s=given.pop("timeout", 600.0),
            is_sure=given.pop("sure", False),
            is_dry_run=given.pop("dry_run", False),
            maker=_maker(ctx),
        )
        with me:
            function(me, **given)
            if me.is_dry_run:
                print_note(_("Dry run: this is the result; nothing was changed."))

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [context, *own, *COMMON]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    app.command(name, help=help, no_args_is_help=False, **more)(_by_keyword(run, parameters))


def _by_keyword(run: Function, parameters: Sequence[inspect.Parameter]) -> Function:
    """Convert to keyword arguments: Typer passes everything by keyword, the context too."""

    def call(**given: Any) -> None:
        run(given.pop("ctx"), **given)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    return call


def _maker(ctx: typer.Context) -> str:
    """Return the command of the same group that creates such resources, if there is one."""
    parent = ctx.parent
    return f"{parent.command_path} create" if parent and "create" in getattr(parent.command, "commands", ()) else ""


def labels_of(texts: Sequence[str] | None, *, is_patch: bool = False) -> dict[str, Any] | None:
    """Parse labels; in a patch, `name-` removes the label. Raises BadParameter."""
    if not texts:
        return None
    labels: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if is_patch and not equals and name.endswith("-"):
            labels[name[:-1]] = None
        elif equals and name:
            labels[name] = value
        else:
            raise typer.BadParameter(_("{text!r} is not a label. Write name=text.").format(text=text))
    return labels
