"""Declared commands: each is one call of the SDK.

A call is named as `manager.method`, and a parameter of the command as in the call. The rest follows from the call's
parameters: an `organization` becomes --organization, a dry run --dry-run, a list has --limit. Calls that differ only in
their level (a project's, an organization's, the platform's) are one command.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from gettext import gettext as _
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from andromede_cli import output
from andromede_cli.command import (
    DRY_RUN,
    EXTRA,
    SURE,
    WAIT,
    LabelsOption,
    OrganizationOption,
    labels_of,
    parameter,
    register,
)
from andromede_cli.completion import method_of, names, takes
from andromede_cli.error_reports import Misuse
from andromede_cli.output import Column, Format
from andromede_cli.session import Session
from andromede_cli.terminal import console, print_note
from andromede_sdk import models
from andromede_sdk.model import Model
from andromede_sdk.resource import Listing

Parameter = inspect.Parameter
Show = Callable[[Session, Any], None]
Levels = Mapping[str, str]
PROJECT = ""
PROJECT_ARGUMENT = "project_"  # all commands have the option --project
LimitOption = Annotated[int | None, typer.Option("--limit", help=_("Maximum number of results."), min=1)]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help=_("It must not be there yet."), show_default=False)]
ResourceOption = Annotated[str | None, typer.Option("--resource", help=_("Filter by resource id."), show_default=False)]
LEVELS: dict[str, Any] = {
    "organization": OrganizationOption,
    "platform": Annotated[bool, typer.Option("--platform", help=_("Include the whole platform; for operators."))],
    "own": Annotated[bool, typer.Option("--own", help=_("Your tokens for all projects."))],
    "service_account": Annotated[
        str | None,
        typer.Option(
            "--service-account",
            help=_("Filter by service account."),
            show_default=False,
            autocompletion=names("service_accounts.list"),
        ),
    ],
}
FILTERS: dict[str, Any] = {
    "name": Annotated[str | None, typer.Option("--name", help=_("The one of this name."))],
    "state": Annotated[str | None, typer.Option("--state", help=_("Filter by state."))],
    "duty": Annotated[
        str | None, typer.Option("--duty", help=_("Filter by administrative state, such as maintenance or retired."))
    ],
    "zone": Annotated[
        str | None, typer.Option("--zone", help=_("Filter by zone."), autocompletion=names("zones.list"))
    ],
    "region": Annotated[
        str | None, typer.Option("--region", help=_("Filter by region."), autocompletion=names("regions.list"))
    ],
    "volume": Annotated[
        str | None, typer.Option("--volume", help=_("Filter by volume."), autocompletion=names("volumes.list"))
    ],
    "group": Annotated[str | None, typer.Option("--group", help=_("Filter by group: its id."))],
    "kind": Annotated[str | None, typer.Option("--kind", help=_("Filter by kind."))],
    "engine": Annotated[str | None, typer.Option("--engine", help=_("Filter by engine: folder or rbd."))],
    "role": Annotated[str | None, typer.Option("--role", help=_("Filter by role."))],
    "email": Annotated[str | None, typer.Option("--email", help=_("The one of this address."))],
    "level": Annotated[str | None, typer.Option("--level", help=_("Filter by level."))],
    "dimension": Annotated[str | None, typer.Option("--dimension", help=_("Filter by dimension."))],
    "officer": Annotated[str | None, typer.Option("--officer", help=_("Filter by officer."))],
    "resource": ResourceOption,
    "stuck": Annotated[bool | None, typer.Option("--stuck", help=_("Only stuck operations; with --platform."))],
    "actor": Annotated[
        str | None, typer.Option("--actor", help=_("Filter by actor: id of a user or service account."))
    ],
    "credential": Annotated[
        str | None, typer.Option("--credential", help=_("Filter by credential: id of a token or session."))
    ],
    "verb": Annotated[str | None, typer.Option("--verb", help=_("Filter by action, such as instance_delete."))],
    "operation": Annotated[
        str | None, typer.Option("--operation", help=_("Filter by the operation that the request began."))
    ],
    "request_id": Annotated[str | None, typer.Option("--request", help=_("The request with this id."))],
    "outcome": Annotated[
        str | None, typer.Option("--outcome", help=_("Filter by outcome: succeeded, refused, failed or unknown."))
    ],
    "completed_after": Annotated[str | None, typer.Option("--after", help=_("From this moment on (RFC 3339)."))],
    "completed_before": Annotated[str | None, typer.Option("--before", help=_("Before this moment (RFC 3339)."))],
    "labels": Annotated[
        str | None, typer.Option("--selector", "-l", help=_("Filter by labels: 'env=prod,tier!=web,app in (a,b)'."))
    ],
    "created_after": Annotated[
        str | None, typer.Option("--created-after", help=_("Filter by creation: after this moment (RFC 3339)."))
    ],
    "sort": Annotated[str | None, typer.Option("--sort", help=_("Sort by this member; descending with - before it."))],
}


# -- parameters


def argument(metavar: str, help: str = "", *, several: bool = False, completes: str = "") -> Any:
    kind: Any = list[str] if several else str
    more = names(completes) if completes else None
    return Annotated[kind, typer.Argument(metavar=metavar, help=help or None, show_default=False, autocompletion=more)]


def given(name: str, metavar: str, help: str = "", *, completes: str = "") -> Parameter:
    """Declare an argument."""
    name = PROJECT_ARGUMENT if name == "project" else name
    return parameter(name, argument(metavar, help, completes=completes))


def option(name: str, spelled: str, help: str, kind: Any = str, default: Any = Parameter.empty) -> Parameter:
    """Declare an option. Without a default it is required; None: it is sent only if given."""
    if default is None:
        kind = kind | None
    return parameter(name, Annotated[kind, typer.Option(spelled, help=help, show_default=default is not None)], default)


def filters(*filter_names: str) -> list[Parameter]:
    return [parameter(each, FILTERS[each], None) for each in filter_names]


DAYS = option("lifetime_days", "--days", _("Validity period."), int, None)
NEW_NAME = option("name", "--name", _("The new name."), default=None)
LABEL = parameter("labels", LabelsOption, None)


# -- what is done with answers


def one(me: Session, answer: Any) -> None:
    if answer is None:
        print_note(_("Done."))
    elif isinstance(answer, str):
        output.plain(answer.rstrip("\n"))
    else:
        me.show(answer)


def rows(columns: Sequence[Column], member: str = "") -> Show:
    """Show a table of the list, or of a member of the answer."""
    return lambda me, answer: me.list(getattr(answer, member) if member else answer, columns)


def document(me: Session, answer: Any) -> None:
    """Write the document unchanged, for the program that reads it."""
    whole = answer.raw if isinstance(answer, Model) else answer
    output.structured(whole, form=Format.YAML if me.form is Format.YAML else Format.JSON)


def secret(member: str) -> Show:
    """Show a secret, which the API shows once; with -o name the secret alone."""

    def show(me: Session, answer: Any) -> None:
        if me.is_dry_run or me.form is not Format.NAME:
            me.show(answer)
        else:
            output.plain(getattr(answer, member))

    return show


def show_answer(me: Session, answer: Model) -> None:
    """Show a decision as a tree, and any other answer of a dry run by its kind."""
    is_decision = isinstance(answer, models.Decision | models.PlacementSimulation)
    if me.form in (Format.JSON, Format.YAML) or not is_decision:
        me.show(answer)
        return
    from andromede_cli.decisions import tree

    out = console()
    with out.capture() as captured:
        out.print(tree(answer))  # type: ignore[arg-type]
    for line in captured.get().splitlines():
        print(line.rstrip())  # noqa: T201 - the result


# -- commands


def call_command(
    app: typer.Typer, name: str, help: str, call: str | Levels, *own: Parameter, show: Show = one, question: str = ""
) -> None:
    """Declare a command of one call. `question` may contain names of parameters; it is asked before the call."""
    levels = {PROJECT: call} if isinstance(call, str) else call
    accepted = {parameter for each in levels.values() for parameter in takes(each)}
    is_list = "page_size" in accepted

    def run(me: Session, **words: Any) -> None:
        limit = words.pop("limit", None) if is_list else None
        file = words.pop("to", None)
        method = _ready(me, levels, words)
        if question:
            me.confirm(question.format(**words))
        if file is not None:
            download(lambda to: method(to=to), file)
            return
        answer = method(page_size=min(limit or 200, 200)) if is_list else method()
        show(me, itertools.islice(answer, limit) if isinstance(answer, Listing) else answer)

    more = [each for each in _follows(levels, accepted) if each.name not in {parameter.name for parameter in own}]
    _check(name, levels, [*own, *more])
    register(app, name, help, run, [*own, *more, *(EXTRA[SURE] if question else [])], {})


def _check(name: str, levels: Levels, parameters: Sequence[Parameter]) -> None:
    """Check the parameters. Raises TypeError if the call needs another parameter, or lacks one of them."""
    have = {"project" if each.name == PROJECT_ARGUMENT else each.name for each in parameters}
    for call in levels.values():
        needed = {each.name for each in takes(call).values() if each.default is Parameter.empty}
        if needed - have:
            raise TypeError(f"{name}: {call} needs {', '.join(sorted(needed - have))}")
    if (
        strange := have
        - {each for call in levels.values() for each in takes(call)}
        - {"limit"}
        - levels.keys()
        - {"sure"}
    ):
        raise TypeError(f"{name}: no call takes {', '.join(sorted(strange))}")


def _follows(levels: Levels, accepted: set[str]) -> list[Parameter]:
    """Return the options that follow from the calls' parameters."""
    parameters = [parameter("to", FileArgument)] if "to" in accepted else []
    named = [level for level in levels if level != PROJECT]
    if "organization" in accepted and "organization" not in named:
        named.insert(0, "organization")
    parameters += [parameter(each, LEVELS[each], False if each in ("platform", "own") else None) for each in named]
    if "page_size" in accepted:
        parameters += [*(filters("sort") if "sort" in accepted else []), parameter("limit", LimitOption, None)]
    return [*parameters, *(EXTRA[DRY_RUN] if "dry_run" in accepted else [])]


def _ready(me: Session, levels: Levels, words: dict[str, Any]) -> Callable[..., Any]:
    """Return the call with its arguments. Raises Misuse: an argument is not one of the call's."""
    words = {"project" if name == PROJECT_ARGUMENT else name: value for name, value in words.items()}
    chosen = {name: value for name, value in words.items() if value not in (None, False, [])}
    level = next((each for each in reversed(list(levels)) if each in chosen), PROJECT)
    taken = takes(levels[level])
    if wrong := [name for name in chosen if name not in taken and name != level]:
        text = _("--{option} cannot be combined with the other options.")
        raise Misuse(text.format(option=wrong[0].replace("_", "-")))
    ready = {name: value for name, value in words.items() if name in taken and value is not None and value != []}
    if isinstance(ready.get("labels"), list):
        ready["labels"] = labels_of(ready["labels"], is_patch=levels[level].endswith("update"))
    if "organization" in taken and taken["organization"].default is Parameter.empty:
        ready["organization"] = me.organization(words.get("organization"))
    if me.is_dry_run:
        ready["dry_run"] = True
    call = method_of(me.client, levels[level])
    return lambda **more: call(**ready, **more)


def download(call: Callable[[BinaryIO], int], path: Path) -> None:
    """Write the whole file, or none. Raises Misuse: the file cannot be created."""
    try:
        out = path.open("xb")
    except FileExistsError as exc:
        raise Misuse(_("{file} already exists. Choose another file.").format(file=path)) from exc
    except OSError as exc:
        raise Misuse(_("{file} cannot be written: {reason}").format(file=path, reason=exc.strerror)) from exc
    with out:
        try:
            count = call(out)
        except BaseException:
            path.unlink()
            raise
    print_note(_("{count} bytes in {file}").format(count=count, file=path))


def list_command(
    app: typer.Typer, help: str, call: str | Levels, columns: Sequence[Column], *filter_names: str, name: str = "list"
) -> None:
    call_command(app, name, help, call, *filters(*filter_names), show=rows(columns))


def show_command(app: typer.Typer, help: str, call: str, metavar: str) -> None:
    subject = _subject(call)
    call_command(app, "show", help, call, given(subject, metavar, completes=_listing_for(call)))


def delete_command(app: typer.Typer, help: str, call: str | Levels, metavar: str, question: str, *has: str) -> None:
    """Declare a command that deletes one or more resources, one after the other. `question` has {names}."""
    levels = {PROJECT: call} if isinstance(call, str) else call
    first = levels[PROJECT]
    subject, accepted = _subject(first), {parameter for each in levels.values() for parameter in takes(each)}
    verb = first.rpartition("_")[2].rpartition(".")[2]

    def run(me: Session, *, names: list[str], **words: Any) -> None:
        me.confirm(question.format(names=", ".join(names)))
        for name in names:
            answer = _ready(me, levels, {**words, subject: name})()
            if me.is_dry_run:
                print_note(_("{name} would be deleted.").format(name=name))
                continue
            me.finish(answer)
            print_note(
                _("{name}: deleted").format(name=name)
                if me.is_waiting
                else _("{name}: being deleted").format(name=name)
            )

    own = [parameter("names", argument(metavar, several=True, completes=_listing_for(first)))]
    own += [each for each in _follows(levels, accepted) if each.name != subject]
    register(app, verb, help, run, [*own, *(each for word in (SURE, *has) for each in EXTRA[word])], {})


def action_command(app: typer.Typer, name: str, help: str, call: str, metavar: str) -> None:
    """Declare an action without parameters, on one or more resources."""
    manager = call.partition(".")[0]

    def run(me: Session, *, names: list[str]) -> None:
        for each in names:
            answer = method_of(me.client, call)(each, dry_run=me.is_dry_run)
            me.finish(answer, lambda each=each: getattr(me.client, manager).get(each))  # type: ignore[misc]

    subject = argument(metavar, several=True, completes=f"{manager}.list")
    register(app, name, help, run, [parameter("names", subject), *EXTRA[WAIT], *EXTRA[DRY_RUN]], {})


def _subject(call: str) -> str:
    """Return the subject of the call: the last part of its path."""
    positional = [name for name, each in takes(call).items() if each.kind is Parameter.POSITIONAL_OR_KEYWORD]
    return positional[-1]


def _listing_for(call: str) -> str:
    """Return the list call with the names that the call takes, if there is one."""
    manager, _dot, method = call.partition(".")
    noun, _line, verb = method.rpartition("_")
    listing = f"{manager}.{noun}_list" if noun and verb else f"{manager}.list"
    with suppress(AttributeError):
        takes(listing)
        return listing
    return ""
