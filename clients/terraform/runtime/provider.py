"""What a provider is made of. Each method raises Failure for what the user has to know."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from clients.terraform.runtime.diagnostics import DiagnosticReport, Failure, Path
from clients.terraform.runtime.durations import Timeouts
from clients.terraform.runtime.planning import differing
from clients.terraform.runtime.schema import IdentityAttribute, Schema, Type
from clients.terraform.runtime.values import UNKNOWN, Value, Values, is_known

Private = dict[str, Any]


@dataclass
class Plan:
    """A change as the schema has it, for a resource to refine. `prior` None: a new object. `planned` may be changed
    where Terraform lets a provider: what is computed, and back to `prior` where the configuration means the same.
    `private` is kept for the provider beside the state."""

    schema: Schema
    config: Values
    prior: Values | None
    planned: Values
    private: Private
    report: DiagnosticReport
    replace: list[Path] = field(default_factory=list)

    def differing(self) -> list[str]:
        return [] if self.prior is None else differing(self.schema.attributes, self.prior, self.planned)

    def replaces(self, name: str) -> bool:
        return (name,) in [tuple(path) for path in self.replace]

    def keep(self, name: str) -> None:
        """The configuration means what was: neither a change nor a replacement."""
        assert self.prior is not None
        self.planned[name] = self.prior[name]
        self.replace = [path for path in self.replace if tuple(path) != (name,)]

    def update_in_place(self, name: str) -> None:
        """The change takes no new object after all."""
        self.replace = [path for path in self.replace if tuple(path) != (name,)]


@dataclass
class Work:
    """An operation on an object. `state` is the best that is known of it: what save() was told is never lost, also when
    an exception ends the operation. `deadline` is of time.monotonic()."""

    config: Values
    prior: Values | None
    planned: Values
    private: Private
    deadline: float
    report: DiagnosticReport
    state: Values = field(default_factory=dict)
    is_saved: bool = False

    def save(self, values: Values) -> None:
        self.state.update(values)
        self.is_saved = True

    def changed(self, *names: str) -> bool:
        return self.prior is None or any(self.prior.get(name) != self.planned.get(name) for name in names)

    @property
    def remaining_s(self) -> float:
        return self.deadline - time.monotonic()


@dataclass(frozen=True)
class Found:
    """An object that a list resource has found; `state` where it was asked for."""

    identity: Values
    name: str
    state: Values | None = None


class Resource:
    """`name` is without the provider's. `identity` empty: objects have none, and are imported by id alone.
    `upgrades[n]` makes a state of version n one of n + 1; `moved_from` does so with a state of another type, or answers
    None when it cannot. `is_listed`: `terraform query` can find objects."""

    name: str
    schema: Schema
    identity: Mapping[str, IdentityAttribute] = {}
    timeouts = Timeouts()
    upgrades: Mapping[int, Callable[[Values], Values]] = {}
    is_listed = False
    list_schema = Schema({})

    def validate(self, config: Values, report: DiagnosticReport) -> None:
        """What no check of a single attribute sees; values may be UNKNOWN."""

    def plan(self, plan: Plan) -> None:
        """Refine a create or an update."""

    def create(self, work: Work) -> None:
        raise NotImplementedError

    def read(self, state: Values, private: Private, deadline: float) -> Values | None:
        """The object as it is; None: it is gone."""
        raise NotImplementedError

    def update(self, work: Work) -> None:
        raise NotImplementedError

    def delete(self, work: Work) -> None:
        raise NotImplementedError

    def import_by_id(self, text: str) -> Values:
        """As much of a state as read() needs."""
        raise Failure("This resource cannot be imported")

    def import_by_identity(self, identity: Values) -> Values:
        raise Failure("This resource cannot be imported by identity")

    def identity_of(self, state: Values) -> Values:
        return {name: state.get(name) for name in self.identity}

    def moved_from(self, type_name: str, state: Values) -> Values | None:
        return None

    def list(self, config: Values, *, limit: int, with_state: bool) -> Iterator[Found]:
        raise NotImplementedError


class DataSource:
    name: str
    schema: Schema

    def validate(self, config: Values, report: DiagnosticReport) -> None:
        """As for resources."""

    def read(self, config: Values, report: DiagnosticReport) -> Values:
        raise NotImplementedError


class Action:
    name: str
    schema: Schema

    def invoke(self, config: Values, report: DiagnosticReport) -> Iterator[str]:
        """Do it; what is yielded is shown as progress."""
        raise NotImplementedError


class EphemeralResource:
    """Lives as long as a run of Terraform. What it needs to end it, open() answers as private."""

    name: str
    schema: Schema

    def open(self, config: Values) -> tuple[Values, Private]:
        raise NotImplementedError

    def close(self, private: Private) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Function:
    """`parameters` by name, in their order."""

    name: str
    summary: str
    description: str
    parameters: Mapping[str, Type]
    returns: Type
    call: Callable[..., Value]


class Provider:
    """`source` is its whole address, as in registry.terraform.io/hashicorp/aws. `stopping` is set when the user
    interrupts: what waits to begin something ends, what has begun is finished."""

    name: str
    source: str
    schema: Schema
    resources: Sequence[Resource] = ()
    data_sources: Sequence[DataSource] = ()
    actions: Sequence[Action] = ()
    ephemeral_resources: Sequence[EphemeralResource] = ()
    functions: Sequence[Function] = ()

    def __init__(self) -> None:
        self.stopping = Event()

    def validate(self, config: Values, report: DiagnosticReport) -> None:
        """As for resources."""

    def configure(self, config: Values, report: DiagnosticReport) -> None:
        """Values may be UNKNOWN, in a plan."""

    def full_name(self, name: str) -> str:
        return f"{self.name}_{name}"


def known(config: Values, name: str) -> Value:
    """The value, or None when it is not known, through and through."""
    value = config.get(name, UNKNOWN)
    return value if is_known(value) else None
