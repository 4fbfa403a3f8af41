"""The Typer application with all commands, and the error handling around each."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from gettext import gettext as _
from typing import Annotated, Any

import typer
from typer.main import get_command

from andromede_cli import language
from andromede_cli.command import ProjectOption
from andromede_cli.command_registry import Commands
from andromede_cli.error_reports import Exit, Interrupted, Misuse, exit_code, lines_of
from andromede_cli.session import Root
from andromede_cli.terminal import print_error
from andromede_sdk import AndromedeError, __version__

PROGRAM = "andromede"
DEBUG = "--debug"

ProfileOption = Annotated[str | None, typer.Option("--profile", "-p", help=_("Profile to use."), show_default=False)]
UrlOption = Annotated[str | None, typer.Option("--url", help=_("URL of the control plane."), show_default=False)]
LanguageOption = Annotated[
    str | None, typer.Option(language.OPTION, help=_("Language: en or fr; default: from LANG."), show_default=False)
]
DebugOption = Annotated[bool, typer.Option(DEBUG, help=_("Show each request, and the traceback of an error."))]
VersionOption = Annotated[bool, typer.Option("--version", help=_("The version."), is_eager=True)]


def make() -> typer.Typer:
    app = typer.Typer(
        help=_("The command line of Andromède."),
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback(invoke_without_command=True)(root)
    return app


def program() -> Any:
    """Return the command itself. Two of its options are Typer's own."""
    words = {
        "install_completion": _("Install completion for the shell in use."),
        "show_completion": _("Print the completion script of the shell in use."),
    }
    root_command: Any = get_command(make())
    root_command.commands = Commands()
    for option in root_command.params:
        option.help = words.get(option.name, option.help)
    return root_command


def root(
    ctx: typer.Context,
    profile: ProfileOption = None,
    url: UrlOption = None,
    project: ProjectOption = None,
    language: LanguageOption = None,
    debug: DebugOption = False,
    version: VersionOption = False,
) -> None:
    if version:
        print(f"{PROGRAM} {__version__}")  # noqa: T201 - the result
        raise typer.Exit
    ctx.obj = Root(profile, url, project, debug)


def run(arguments: Sequence[str]) -> int:
    """Run the command and return the exit code. Errors are printed as messages; a traceback only with --debug."""
    try:
        result = program().main(list(arguments), prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except (AndromedeError, Misuse) as exc:
        return _report(exc, exit_code(exc))
    except typer.Abort:
        return Exit.INTERRUPTED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Interrupted as exc:
        print_error(str(exc), is_first=False)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the reader is gone, and the flush at the end would fail again
        return Exit.OK
    except Exception as exc:  # noqa: BLE001 - the last resort: no traceback for people
        return _unexpected(exc, arguments)
    return result if isinstance(result, int) else Exit.OK


def _report(error: BaseException, code: int) -> int:
    for number, line in enumerate(lines_of(error)):
        print_error(line, is_first=number == 0)
    return code


def _unexpected(error: Exception, arguments: Sequence[str]) -> int:
    """Report a wrong command line, a missing file, or an internal error."""
    if isinstance(error, typer.TyperException):
        return _usage(error)
    if isinstance(error, OSError | ValueError):
        return _report(error, Exit.USAGE)
    print_error(_("Internal error: {kind}: {text}").format(kind=type(error).__name__, text=error), is_first=True)
    print_error(_("Run again with --debug for the traceback, and report it to the project."), is_first=False)
    if DEBUG in arguments:
        import traceback

        traceback.print_exception(error)
    return Exit.INTERNAL


def _usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(f"{message}\n")
        return Exit.USAGE
    print_error(_in_our_language(message), is_first=True)
    if context is not None:
        print_error(_("See {command} --help").format(command=context.command_path), is_first=False)
    return Exit.USAGE


def _in_our_language(message: str) -> str:
    """Translate Typer's own messages, which begin with one of these texts."""
    known = {
        "Missing argument": _("Missing argument"),
        "Missing option": _("Missing option"),
        "No such option": _("No such option"),
        "Invalid value": _("Invalid value"),
        "Got unexpected extra argument": _("Got unexpected extra argument"),
        "Did you mean": _("Did you mean"),
        "is not one of": _("is not one of"),
        "does not exist": _("does not exist"),
    }
    for english, ours in known.items():
        message = message.replace(english, ours)
    return message
