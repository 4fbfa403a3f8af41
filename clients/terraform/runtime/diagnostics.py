"""Errors and warnings, with the attribute of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from clients.terraform.runtime.protocol import tfplugin6_pb2 as pb


class Key(str):
    """A key of a map in a path, where a plain string is the name of an attribute."""


# An attribute's name, an index of a list, or a key of a map. Members of sets have no address: the path ends at the set.
Step = str | int
Path = Sequence[Step]


@dataclass(frozen=True)
class Diagnostic:
    summary: str
    detail: str = ""
    path: tuple[Step, ...] = ()
    is_warning: bool = False


class Failure(Exception):
    """An error for the user, shown as diagnostics without a traceback."""

    def __init__(self, summary: str, detail: str = "", *, path: Path = (), more: Iterable[Diagnostic] = ()) -> None:
        super().__init__(summary)
        self.diagnostics = (Diagnostic(summary, detail, tuple(path)), *more)

    @classmethod
    def of(cls, remarks: Sequence[Diagnostic]) -> "Failure":
        first = remarks[0]
        return cls(first.summary, first.detail, path=first.path, more=remarks[1:])


@dataclass
class DiagnosticReport:
    """Collects diagnostics during one call."""

    diagnostics: list[Diagnostic] = field(default_factory=list)

    def error(self, summary: str, detail: str = "", *, path: Path = ()) -> None:
        self.diagnostics.append(Diagnostic(summary, detail, tuple(path)))

    def warn(self, summary: str, detail: str = "", *, path: Path = ()) -> None:
        self.diagnostics.append(Diagnostic(summary, detail, tuple(path), is_warning=True))

    @property
    def has_errors(self) -> bool:
        return any(not remark.is_warning for remark in self.diagnostics)

    def messages(self) -> list[pb.Diagnostic]:
        return [_message(remark) for remark in self.diagnostics]


def _message(remark: Diagnostic) -> pb.Diagnostic:
    severity = pb.Diagnostic.WARNING if remark.is_warning else pb.Diagnostic.ERROR
    message = pb.Diagnostic(severity=severity, summary=remark.summary, detail=remark.detail)
    if remark.path:
        message.attribute.CopyFrom(path_message(remark.path))
    return message


def path_message(path: Path) -> pb.AttributePath:
    return pb.AttributePath(steps=[_step(step) for step in path])


def _step(step: Step) -> pb.AttributePath.Step:
    if isinstance(step, int):
        return pb.AttributePath.Step(element_key_int=step)
    if isinstance(step, Key):
        return pb.AttributePath.Step(element_key_string=step)
    return pb.AttributePath.Step(attribute_name=step)
