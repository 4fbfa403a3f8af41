"""Steps of an answer: one thing each that lets the traffic pass or stops it."""

from dataclasses import dataclass

from andromede_core.documents.messages import Message

ALLOWED, REFUSED, UNKNOWN = "allowed", "refused", "unknown"
VERDICTS = (ALLOWED, REFUSED, UNKNOWN)
# instance: state of a port and its instance; egress, ingress: security groups of source and target; zone, network,
# gateway, destination, translation, public-address: the way between both.
KINDS = (
    "instance",
    "zone",
    "egress",
    "network",
    "gateway",
    "destination",
    "translation",
    "public-address",
    "ingress",
)


@dataclass(frozen=True, slots=True)
class Step:
    """A step. `port`, `group`, `rule`: ids of what decided, where there is one. `remedy`: what to do where it stops."""

    kind: str
    outcome: str
    text: Message
    port: str | None = None
    group: str | None = None
    rule: str | None = None
    remedy: Message | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer. `family`: 4 or 6. `steps` are in the order of the way, those behind a refusal too."""

    verdict: str
    family: int
    steps: tuple[Step, ...]

    @property
    def next_steps(self) -> tuple[Message, ...]:
        """Return what to do about the steps that stop the traffic, or may."""
        return tuple(dict.fromkeys(step.remedy for step in self.steps if step.remedy and step.outcome != ALLOWED))


def verdict_of(steps: tuple[Step, ...]) -> str:
    """Return refused if a step refuses, else unknown if one is unknown."""
    outcomes = {step.outcome for step in steps}
    return next((each for each in (REFUSED, UNKNOWN) if each in outcomes), ALLOWED)
