"""Lives of a guest: each disk is in one place from creation to erasure, and its memory is where it runs, while it
runs.
"""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from controlplane.audit.residency import history
from tests.unit.audit.test_residency import RESOURCE, Record, at, decision, permit, receipt

NODES = ("n1", "n2", "n3")
VERBS = ("start", "stop", "resize", "rebuild", "move", "evacuate", "come back")
Span = tuple[str, str, float, float | None]


@dataclass
class Life:
    """Actual places, in `spans` (disk, or empty for memory; node; from; to), and the records about them."""

    records: list[Record] = field(default_factory=lambda: [decision()])
    spans: list[Span] = field(default_factory=list)
    late: list[tuple[str, str, str]] = field(default_factory=list)
    hour: float = 0
    disks: int = 1
    node: str = NODES[0]
    is_running: bool = False
    jti: str = ""

    def __post_init__(self) -> None:
        self.permit("create")
        self.opened(self.disk)

    @property
    def disk(self) -> str:
        return f"disk-{self.disks}"

    def permit(self, verb: str, *, node: str | None = None) -> None:
        self.hour += 1
        self.jti = f"p{self.hour}"
        volumes, op = [self.disk, "vol-1"], f"instance.{verb}"
        self.records.append(permit(self.jti, self.hour, node=node or self.node, op=op, volumes=volumes))

    def receipt(self, event: str, disk: str, node: str) -> None:
        self.hour += 1
        of = {"kind": "volume", "resource": disk} if disk else {}
        self.records.append(receipt(event, self.hour, jti=self.jti, node=node, **of))

    def opened(self, disk: str) -> None:
        self.receipt("opened", disk, self.node)
        self.spans.append((disk, self.node, self.hour, None))

    def closed(self, disk: str, node: str) -> None:
        self.receipt("closed", disk, node)
        self.ends(disk, node)

    def ends(self, disk: str, node: str) -> None:
        (now,) = (each for each in self.spans if each[:2] == (disk, node) and each[3] is None)
        self.spans[self.spans.index(now)] = (*now[:3], self.hour)

    def do(self, verb: str) -> None:
        match verb:
            case "start" if not self.is_running:
                self.permit("start")
                self.opened("")
                self.is_running = True
            case "stop" if self.is_running:
                self.closed("", self.node)
                self.is_running = False
            case "resize":
                self.permit("resize")
                self.receipt("opened", self.disk, self.node)
            case "rebuild":
                before, self.disks = self.disk, self.disks + 1
                self.permit("rebuild")
                self.opened(self.disk)
                if self.is_running:
                    self.receipt("opened", "", self.node)
                self.closed(before, self.node)
            case "move":
                self._move()
            case "evacuate":
                self._evacuate()
            case "come back":
                for event in self.late:
                    self.receipt(*event)
                self.late.clear()

    def _elsewhere(self) -> str:
        away = {node for _, _, node in self.late}
        return next((node for node in NODES if node != self.node and node not in away), "")

    def _move(self) -> None:
        before, there = self.node, self._elsewhere()
        if there:
            self.permit("migrate", node=there)
            self.node = there
            for disk in [self.disk, *([""] if self.is_running else [])]:
                self.opened(disk)
                self.closed(disk, before)

    def _evacuate(self) -> None:
        """Its dead node says that it has closed what it had when it is back, if ever."""
        before, there = self.node, self._elsewhere()
        if there:
            self.permit("evacuate", node=there)
            self.node = there
            for disk in [self.disk, *([""] if self.is_running else [])]:
                self.opened(disk)
                self.ends(disk, before)
                self.late.append(("closed", disk, before))

    def delete(self) -> None:
        self.do("stop")
        self.closed(self.disk, self.node)


@given(st.lists(st.sampled_from(VERBS), max_size=12), st.booleans())
def test_disk_is_always_somewhere_and_memory_only_while_running(verbs: list[str], is_deleted: bool) -> None:
    life = Life()
    for verb in verbs:
        life.do(verb)
    if is_deleted:
        life.delete()
    residency = history(life.records, RESOURCE)
    proven = [(each.disk, each.node, each.start, each.end) for each in residency.intervals if each.state == "proven"]
    so = [(disk, node, at(start), None if end is None else at(end)) for disk, node, start, end in life.spans]
    assert sorted(proven, key=str) == sorted(so, key=str)
    assert all(each.is_compliant for each in residency.intervals)
    assert not residency.problems
    assert [each for each in residency.intervals if each.end is None and each.state == "claimed"] == []
