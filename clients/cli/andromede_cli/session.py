"""Session of a command: profile, client, and output options."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from gettext import gettext as _
from itertools import islice
from typing import TYPE_CHECKING, Any

from andromede_cli import language, output
from andromede_cli.error_reports import Misuse
from andromede_cli.output import Column, Format
from andromede_cli.profiles import Profile, Profiles, load
from andromede_cli.terminal import print_note
from andromede_sdk import NotFound, ProjectNeeded, models
from andromede_sdk.model import Model

if TYPE_CHECKING:
    import httpx

    from andromede_sdk import Client
    from andromede_sdk.models import Operation


@dataclass(frozen=True)
class Root:
    """Options before the command."""

    profile: str | None = None
    url: str | None = None
    project: str | None = None
    is_debug: bool = False

    def profile_name(self, profiles: Profiles) -> str:
        return self.profile or os.environ.get("ANDROMEDE_PROFILE") or profiles.current

    def resolve(self) -> Profile:
        """Resolve the profile: options override the environment, which overrides stored values.

        A requested profile must exist. A token is for one control plane: with another address the stored token is not
        used.
        """
        profiles = load()
        name = self.profile_name(profiles)
        is_named = bool(self.profile or os.environ.get("ANDROMEDE_PROFILE"))
        profile = profiles.get(name) if is_named or name in profiles.known else Profile()
        url = self.url or os.environ.get("ANDROMEDE_URL")
        if url and profile.url and url.rstrip("/") != profile.url.rstrip("/"):
            profile = Profile()
        return profile.overlaid(
            url=url,
            token=os.environ.get("ANDROMEDE_TOKEN"),
            project=self.project or os.environ.get("ANDROMEDE_PROJECT"),
            ca_file=os.environ.get("ANDROMEDE_CA_FILE"),
        )


@dataclass
class Session:
    root: Root = field(default_factory=Root)
    form: Format = Format.TABLE
    project: str | None = None
    is_waiting: bool = True
    timeout_s: float = 600.0
    is_sure: bool = False
    is_dry_run: bool = False
    maker: str = ""  # the command that makes what is listed

    @cached_property
    def profile(self) -> Profile:
        return self.root.resolve().overlaid(project=self.project)

    @cached_property
    def client(self) -> Client:
        if not self.profile.url:
            raise Misuse(_("No control plane selected. Sign in with: andromede login https://…"))
        return open_client(self.profile, is_debug=self.root.is_debug)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        if "client" in self.__dict__:
            self.client.close()

    # -- results

    def list(self, items: Iterable[Model], columns: Sequence[Column]) -> None:
        documents = [item.raw for item in items]
        output.listed(documents, columns, form=self.form)
        if not documents and sys.stdout.isatty():
            text = _("No entries yet. Create the first with: {command}") if self.maker else _("No entries.")
            print_note(text.format(command=self.maker))

    def show(self, item: Model | dict[str, Any]) -> None:
        output.shown(item, form=self.form)

    def finish(self, answer: Any, reload: Callable[[], Model] | None = None) -> None:
        """Wait for the operation of the answer, unless waiting is off, and show its result.

        With `reload` None: show that it is done. For a dry run: show the planned change.
        """
        if self.is_dry_run:
            self.show(answer)
            return
        operation = getattr(answer, "operation", None)
        if isinstance(operation, models.Operation) and self.is_waiting:
            from andromede_cli import progress

            progress.wait(operation, timeout_s=self.timeout_s)
        elif isinstance(operation, models.Operation):
            print_note(
                _("{kind} started. Wait for it with: andromede operation wait {id}").format(
                    kind=operation.kind, id=operation.id
                )
            )
        if not isinstance(operation, models.Operation) or not self.is_waiting or reload is None:
            shown = None if reload is None else answer
        else:
            shown = reload()
        if shown is not None:
            self.show(shown)

    # -- questions

    def confirm(self, question: str) -> None:
        """Ask for confirmation. Raises Misuse: there is no terminal, or the answer is no."""
        if self.is_sure or self.is_dry_run:
            return
        if not sys.stdin.isatty():
            raise Misuse(
                _("{question} Standard input is not a terminal. Pass --yes to confirm.").format(question=question)
            )
        sys.stderr.write(f"{question} {_('[y/N]')} ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in (_("y"), _("yes")):
            raise Misuse(_("Cancelled; nothing was changed."))

    # -- selection of project, organization and operation

    def needed_project(self) -> str:
        """Return the project. Raises ProjectNeeded."""
        if not self.client.project:
            raise ProjectNeeded()
        return self.client.project

    def organization(self, name: str | None = None) -> str:
        """Return the organization: the named one, else that of the current project, or the only one.

        Raises:
            Misuse: it is not clear which.
        """
        if chosen := name or os.environ.get("ANDROMEDE_ORGANIZATION"):
            return chosen
        if self.profile.project:
            with suppress(NotFound):  # it may be the one that is to be made
                return self.client.projects.get(self.profile.project).organization.id
        ids = [each.id for each in islice(self.client.organizations.list(), 2)]
        if len(ids) != 1:
            raise Misuse(_("No organization selected. Pass --organization or set ANDROMEDE_ORGANIZATION."))
        return ids[0]

    def operation(self, ref: str) -> Operation:
        """Return the operation by its id, or the last one of the resource with that id."""
        with suppress(NotFound):
            return self.client.operations.get(ref)
        newest = self.client.operations.list(resource=ref, sort="-created_at").first()
        return newest or self.client.operations.get(ref)


def open_client(profile: Profile, *, is_debug: bool = False, **options: Any) -> Client:
    """Open a client. Raises Misuse: the address or the certificate file is not valid."""
    import ssl

    from andromede_sdk import Client

    try:
        verify = ssl.create_default_context(cafile=profile.ca_file) if profile.ca_file else True
        client = Client(
            profile.url,
            profile.token,
            project=profile.project or None,
            language=language.current(),
            verify=verify,
            **options,
        )
    except (ValueError, OSError) as exc:
        raise Misuse(str(exc)) from exc
    if is_debug:
        client.scope.transport.http.event_hooks = {"response": [_trace]}
    return client


def _trace(answer: httpx.Response) -> None:
    """Log a request without headers and bodies, which contain secrets."""
    request = answer.headers.get("X-Request-ID", "-")
    print_note(f"{answer.request.method} {answer.request.url.raw_path.decode()} → {answer.status_code} ({request})")
