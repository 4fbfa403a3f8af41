"""How commands are made: what all have in common, and the ones that are alike for every kind of things."""

from __future__ import annotations

import inspect
import itertools
import typing
from collections.abc import Callable, Sequence
from gettext import gettext as _
from typing import Annotated, Any

import typer

from andromede_cli.output import Column, Format
from andromede_cli.session import Session
from andromede_cli.terminal import say

Function = Callable[..., None]
WAIT, SURE, DRY_RUN = "wait", "sure", "dry_run"

Output = Annotated[Format, typer.Option("--output", "-o", help=_("How the result is written."))]
ProjectOption = Annotated[
    str | None, typer.Option("--project", help=_("The project, by name or id."), show_default=False)
]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help=_("Wait until the change has been made."))]
TimeoutOption = Annotated[float, typer.Option("--timeout", help=_("How many seconds to wait at most."), min=0)]
SureOption = Annotated[bool, typer.Option("--yes", "-y", help=_("Do not ask."))]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help=_("Say only what would be; change nothing."))]

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
Instance = Annotated[str, typer.Argument(metavar="INSTANCE", help=_("By name or id."), show_default=False)]
Volume = Annotated[str, typer.Argument(metavar="VOLUME", help=_("By name or id."), show_default=False)]
Id = Annotated[str, typer.Argument(metavar="ID", show_default=False)]
LabelsOption = Annotated[
    list[str] | None, typer.Option("--label", help=_("A label, as name=text; may be said several times."))
]
FILTERS: dict[str, Any] = {
    "name": Annotated[str | None, typer.Option("--name", help=_("The one of this name."))],
    "state": Annotated[str | None, typer.Option("--state", help=_("Those in this state."))],
    "zone": Annotated[str | None, typer.Option("--zone", help=_("Those in this zone."))],
    "region": Annotated[str | None, typer.Option("--region", help=_("Those in this region."))],
    "kind": Annotated[str | None, typer.Option("--kind", help=_("Those of this kind."))],
    "resource": Annotated[str | None, typer.Option("--resource", help=_("Those of the resource with this id."))],
    "labels": Annotated[
        str | None, typer.Option("--selector", "-l", help=_("By labels: 'env=prod,tier!=web,app in (a,b)'."))
    ],
    "created_after": Annotated[
        str | None, typer.Option("--created-after", help=_("Those created after this moment (RFC 3339)."))
    ],
    "sort": Annotated[str | None, typer.Option("--sort", help=_("By this member; with - before it, downwards."))],
}
LimitOption = Annotated[int | None, typer.Option("--limit", help=_("At most so many."), min=1)]


def group(help: str) -> typer.Typer:
    return typer.Typer(help=help, no_args_is_help=True, rich_markup_mode=None)


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


COMMON = [_parameter("output", Output, Format.TABLE), _parameter("project", ProjectOption, None)]
EXTRA = {
    WAIT: [_parameter("wait", WaitOption, True), _parameter("timeout", TimeoutOption, 600.0)],
    SURE: [_parameter("sure", SureOption, False)],
    DRY_RUN: [_parameter("dry_run", DryRunOption, False)],
}


def command(app: typer.Typer, name: str, help: str, *has: str, **more: Any) -> Callable[[Function], Function]:
    """Make a function a command. It gets a Session and its own parameters; the common ones go into the Session."""

    def decorate(function: Function) -> Function:
        hints = typing.get_type_hints(function, include_extras=True)
        own = [
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[each.name])
            for each in list(inspect.signature(function).parameters.values())[1:]
        ]
        _register(app, name, help, function, [*own, *(each for word in has for each in EXTRA[word])], more)
        return function

    return decorate


def _register(
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
        )
        function(me, **given)

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [context, *own, *COMMON]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    app.command(name, help=help, no_args_is_help=False, **more)(_by_keyword(run, parameters))


def _by_keyword(run: Function, parameters: Sequence[inspect.Parameter]) -> Function:
    """Typer passes everything by keyword, the context too."""

    def call(**given: Any) -> None:
        run(given.pop("ctx"), **given)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    return call


def argument(metavar: str, help: str = "", *, several: bool = False) -> Any:
    kind: Any = list[str] if several else str
    return Annotated[kind, typer.Argument(metavar=metavar, help=help or None, show_default=False)]


def list_command(
    app: typer.Typer, help: str, manager: str, columns: Sequence[Column], *filters: str, name: str = "list"
) -> None:
    def run(me: Session, *, limit: int | None, **given: Any) -> None:
        asked = {each: text for each, text in given.items() if text is not None}
        listing = getattr(me.client, manager).list(**asked, page_size=min(limit or 200, 200))
        me.list(itertools.islice(listing, limit), columns)

    own = [_parameter(each, FILTERS[each], None) for each in (*filters, "sort")]
    _register(app, name, help, run, [*own, _parameter("limit", LimitOption, None)], {})


def show_command(app: typer.Typer, help: str, manager: str, metavar: str) -> None:
    def run(me: Session, *, name: str) -> None:
        me.show(getattr(me.client, manager).get(name))

    _register(app, "show", help, run, [_parameter("name", argument(metavar))], {})


def delete_command(
    app: typer.Typer, help: str, manager: str, metavar: str, question: str, *has: str, verb: str = "delete"
) -> None:
    """`question` has {names}. Of several, each is tried; the last failure is told at the end."""

    def run(me: Session, *, names: list[str]) -> None:
        me.confirm(question.format(names=", ".join(names)))
        for name in names:
            answer = getattr(getattr(me.client, manager), verb)(name)
            me.finish(answer)
            say(_("{name}: gone").format(name=name) if me.is_waiting else _("{name}: going").format(name=name))

    own = [
        _parameter("names", argument(metavar, several=True)),
        *(each for word in (SURE, *has) for each in EXTRA[word]),
    ]
    _register(app, verb, help, run, own, {})


def action_command(app: typer.Typer, name: str, help: str, manager: str, metavar: str) -> None:
    """An action that takes nothing, on one or more."""

    def run(me: Session, *, names: list[str]) -> None:
        things = getattr(me.client, manager)
        for each in names:
            answer = getattr(things, name.replace("-", "_"))(each)
            me.finish(answer, lambda each=each: things.get(each))  # type: ignore[misc]

    _register(app, name, help, run, [_parameter("names", argument(metavar, several=True)), *EXTRA[WAIT]], {})


def labels_of(texts: Sequence[str] | None, *, is_patch: bool = False) -> dict[str, Any] | None:
    """Raises BadParameter. In a patch, `name-` removes the label."""
    if not texts:
        return None
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if is_patch and not equals and name.endswith("-"):
            found[name[:-1]] = None
        elif equals and name:
            found[name] = value
        else:
            raise typer.BadParameter(_("{text!r} is no label; labels are name=text.").format(text=text))
    return found
