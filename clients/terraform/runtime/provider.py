"""Base classes of a provider. Each method raises Failure for errors that the user must see."""

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
    """A change by the schema, for a resource to refine. `prior` None: a new object.

    `planned` may be changed where Terraform allows it: computed attributes, and back to `prior` where the configuration
    is equivalent. `private` is stored for the provider beside the state.
    """

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
        """Keep the prior value, since the configuration is equivalent: neither a change nor a replacement."""
        assert self.prior is not None
        self.planned[name] = self.prior[name]
        self.replace = [path for path in self.replace if tuple(path) != (name,)]

    def update_in_place(self, name: str) -> None:
        """Update the object in place instead of a replacement."""
        self.replace = [path for path in self.replace if tuple(path) != (name,)]


@dataclass
class Work:
    """An operation on an object. `state` is the best known state.

    A state given to save() is never lost, also when an exception ends the operation. `deadline` is of time.monotonic().
    """

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
    """An object that a list resource has found; `state` if it was requested."""

    identity: Values
    name: str
    state: Values | None = None


class Resource:
    """A managed resource. `name` is without the provider's.

    `identity` empty: objects have none, and are imported by id alone. `upgrades[n]` converts a state of version n to n
    + 1; `moved_from` converts a state of another type, or returns None when it cannot. `is_listed`: `terraform query`
    can find objects.
    """

    name: str
    schema: Schema
    identity: Mapping[str, IdentityAttribute] = {}
    timeouts = Timeouts()
    upgrades: Mapping[int, Callable[[Values], Values]] = {}
    is_listed = False
    list_schema = Schema({})

    def validate(self, config: Values, report: DiagnosticReport) -> None:
        """Check rules across attributes; values may be UNKNOWN."""

    def plan(self, plan: Plan) -> None:
        """Refine a create or an update."""

    def create(self, work: Work) -> None:
        raise NotImplementedError

    def read(self, state: Values, private: Private, deadline: float) -> Values | None:
        """Return the object as it is; None: it is gone."""
        raise NotImplementedError

    def update(self, work: Work) -> None:
        raise NotImplementedError

    def delete(self, work: Work) -> None:
        raise NotImplementedError

    def import_by_id(self, text: str) -> Values:
        """Return as much of a state as read() needs."""
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
        """Check rules across attributes, as for resources."""

    def read(self, config: Values, report: DiagnosticReport) -> Values:
        raise NotImplementedError


class Action:
    name: str
    schema: Schema

    def invoke(self, config: Values, report: DiagnosticReport) -> Iterator[str]:
        """Run the action; yielded texts are shown as progress."""
        raise NotImplementedError


class EphemeralResource:
    """A resource that lives as long as a run of Terraform. open() returns the data for its end as private."""

    name: str
    schema: Schema

    def open(self, config: Values) -> tuple[Values, Private]:
        raise NotImplementedError

    def close(self, private: Private) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Function:
    """A function. `parameters` by name, in their order."""

    name: str
    summary: str
    description: str
    parameters: Mapping[str, Type]
    returns: Type
    call: Callable[..., Value]


class Provider:
    """A provider. `source` is its whole address, as in registry.terraform.io/hashicorp/aws.

    `stopping` is set when the user interrupts: no new work begins, started work is finished.
    """

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
        """Check rules across attributes, as for resources."""

    def configure(self, config: Values, report: DiagnosticReport) -> None:
        """Configure the provider. Values may be UNKNOWN, in a plan."""

    def full_name(self, name: str) -> str:
        return f"{self.name}_{name}"


def known(config: Values, name: str) -> Value:
    """Return the value, or None when any part of it is not known."""
    value = config.get(name, UNKNOWN)
    return value if is_known(value) else None
