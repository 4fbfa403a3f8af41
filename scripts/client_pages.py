"""Write the reference pages of the command line and of the SDK, from their code."""

import inspect
import os
from collections.abc import Iterator
from typing import Any

from scripts import sdk

CLI_HEAD = """# The command line

Made from the code by `make clients`. How to begin: [Use the command line](../how-to/use-the-cli.md).

## For all commands

| before the command | |
|---|---|
{globals}

| after the command | |
|---|---|
{common}

| variable | in place of |
|---|---|
| `ANDROMEDE_URL` | the address of the profile |
| `ANDROMEDE_TOKEN` | its token |
| `ANDROMEDE_PROJECT` | its project |
| `ANDROMEDE_ORGANIZATION` | `--organization`: of what concerns one; else that of the project, or the only one you see |
| `ANDROMEDE_CA_FILE` | its certificate of an authority |
| `ANDROMEDE_PROFILE` | the profile in use |
| `LANGUAGE`, `LC_ALL`, `LANG` | the language: English or French |

Options stand above variables, and variables above the profile. A token that is kept is sent to the address that it is
kept for, and to no other.

| exit code | |
|---|---|
| 0 | done |
| 1 | the API refused |
| 2 | the command line or the configuration is wrong, or the answer to a question was no |
| 3 | there is no such thing |
| 4 | the operation has not ended in the time given, and goes on |
| 5 | the operation has failed |
| 6 | the control plane does not answer |
| 7 | not signed in, or not allowed |
| 70 | a mistake in the program |
| 130 | ended by Ctrl-C |

Results go to standard output, all else to standard error. In a pipe nothing is coloured, nothing moves, and nobody is
asked.
"""
SDK_HEAD = """# The Python SDK

Made from the code by `make clients`. How to begin: [Use the SDK](../how-to/use-the-sdk.md).

## Client

`Client(url, token, …)`, with these options by name:

| option | default | |
|---|---|---|
| `project` | none | the project of calls that are within one, by name or id; `client.within(name)` gives another |
| `timeout_s` | 60 | how long one try waits for data |
| `retry` | `Retry()` | `tries` 6, `first_pause_s` 0.5, `longest_pause_s` 20, `limit_s` 120 |
| `language` | none | of titles and details of errors: `en` or `fr` |
| `verify` | true | an `ssl.SSLContext` that trusts an authority of your own |
| `allow_http` | false | http to other machines than this one: the token travels in the clear |

A call is tried again after a lost connection, a 429, 502, 503 or 504, and a 409 that is retryable. Every POST has an
`Idempotency-Key`, of its own or the `idempotency_key` that you give: the API carries the same key out once.

`client.events.stream()` goes on for ever: where a connection breaks off it is made again with `Last-Event-ID`, so that
nothing is missed. What ends the stream for good is raised.

Calls that list return a `Listing`: iterate over it, or call `pages()`, `first()` or `count()`. Models have the members
of the [OpenAPI document](openapi.json) as attributes, and all of the JSON in `raw`. Times are `datetime`. Members that
end in an underscore are named so because Python keeps the word: `from_`.

An `Operation` has `wait(timeout_s=600, on_progress=None)`, `reload()` and `has_ended`.

## Errors

All derive from `AndromedeError`. An `ApiError` has `status`, `code` ([all of them](errors.md)), `title`, `detail`,
`request_id`, `errors` (`place`, `code`, `detail` per field), `retryable`, `retry_after_s`, `facts`,
`blocking_operation`, `placement_decision` and `raw`.

| error | is a | |
|---|---|---|
"""


def cli() -> str:
    program, groups = _program()
    common = [option for option in groups["limits"].params if option.name in ("output", "project")]
    head = CLI_HEAD.format(globals=_rows(program.params), common=_rows(common))
    lines = [head]
    for name, command in groups.items():
        if hasattr(command, "commands"):
            lines += [f"## {name}", "", command.help, ""]
            for verb, inner in _within(command):
                lines += _command(f"{name} {verb}", inner, level="###")
        else:
            lines += _command(name, command, level="##")
    return "\n".join(lines).rstrip("\n") + "\n"


def _program() -> tuple[Any, dict[str, Any]]:
    """Return the command in English, whatever the environment's language."""
    os.environ["LANGUAGE"] = "en"
    from andromede_cli import app, language

    language.choose([])
    program = app.program()
    return program, program.commands


def _within(group: Any) -> Iterator[tuple[str, Any]]:
    """Return the commands of a group, with nested ones."""
    for verb, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from ((f"{verb} {word}", inner) for word, inner in _within(command))
        else:
            yield verb, command


def _command(name: str, command: Any, *, level: str) -> Iterator[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    words = " ".join(each.metavar for each in arguments)
    yield from (f"{level} {name}", "", f"`andromede {name} {words}`".replace(" `", "`"), "", command.help, "")
    described = [each for each in arguments if each.help]
    options = [each for each in command.params if each.param_type_name == "option"]
    options = [each for each in options if each.name not in ("output", "project")]
    if described or options:
        yield from ("| | |", "|---|---|", _rows([*described, *options]), "")


def _rows(parameters: list[Any]) -> str:
    return "\n".join(f"| {_spelled(each)} | {_meaning(each)} |" for each in parameters)


def _spelled(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar}`".replace("|", "\\|")
    names = [*parameter.opts, *parameter.secondary_opts]
    return ", ".join(f"`{name}`" for name in sorted(names, key=lambda name: (name.startswith("--no"), name)))


def _meaning(parameter: Any) -> str:
    text = str(parameter.help or "").replace("|", "\\|")
    choices = getattr(parameter.type, "choices", None)
    if choices:
        words = [str(getattr(each, "value", each)) for each in choices]
        text += f" {', '.join(f'`{word}`' for word in words)}."
    if parameter.required:
        text += " Needed."
    return text.strip()


def sdk_page() -> str:
    from andromede_sdk import errors

    lines = [SDK_HEAD.rstrip("\n")]
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.AndromedeError) and kind is not errors.AndromedeError:
            base = kind.__mro__[1].__name__
            lines.append(f"| `{name}` | `{base}` | {_one_line(kind.__doc__ or '')} |")
    lines += ["", "## Calls", "", "Each is named after its operation in the API.", ""]
    for manager, routes in sdk.managers().items():
        lines += [f"### client.{manager}", "", "| call | answers | route |", "|---|---|---|"]
        lines += [_call(route) for route in routes]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _call(route: sdk.Route) -> str:
    """Return the call with its required arguments; dots stand for optional ones."""
    files = ["file"] if route.is_upload else ["to"] if route.media == "file" else []
    named = [*sdk.body_parameters(route), *sdk.query_parameters(route)]
    if route.version is not None:
        named.append("if_match: str" if route.version.get("required") else "if_match: str = ''")
    needed = [each.partition(":")[0] for each in named if "=" not in each]
    words = [*route.names, *files, *(f"{name}=…" for name in needed), *(["…"] if len(needed) < len(named) else [])]
    answers = sdk.return_type(route).replace("models.", "").replace("|", "\\|")
    return f"| `{route.name}({', '.join(words)})` | `{answers}` | `{route.http_method} {route.path}` |"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
