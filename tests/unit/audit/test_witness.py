"""The reference witness, as its owner runs it: it signs one history of a log and no other."""

import io
import os
import sys
from pathlib import Path

import pytest

from andromede_core.evidence import checkpoints, ed25519, merkle, signed_notes, witness
from andromede_core.evidence.checkpoints import TreeHead, WitnessRequest
from andromede_core.evidence.signed_notes import Key
from tests.unit.audit.keys import Signer
from tests.unit.audit.trees import Tree, leaves

LOG = Signer("cloud.example/log")
TREE = Tree(leaves(40))
FORK = Tree([*leaves(4), *(merkle.hash_leaf(b"another") for _ in range(36))])


def request(old: int, new: int, *, tree: Tree = TREE, log: Signer = LOG) -> str:
    head = TreeHead(log.key.name, new, tree.root(new))
    return str(WitnessRequest(old, tuple(tree.consistency(old, new)), log.note(str(head))))


class Desk:
    """The witness's folder, and its commands."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys
        assert self.run("init", str(folder), "auditor.example/w") == 0
        self.key = signed_notes.parse_key(self.out.strip())

    def run(self, *arguments: str, stdin: str = "") -> int:
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        status = witness.main(arguments)
        self.out, self.err = self.capsys.readouterr()
        return status

    def cosign(self, text: str, log: Key = LOG.key) -> int:
        return self.run("cosign", str(self.folder), str(log), stdin=text)

    @property
    def seen(self) -> TreeHead:
        return witness.load(self.folder).last_head(LOG.key.name)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path / "witness", monkeypatch, capsys)


def test_witness_signs_a_growing_log(desk: Desk) -> None:
    for old, new in ((0, 1), (1, 5), (5, 5), (5, 8), (8, 40)):
        assert desk.cosign(request(old, new)) == 0, desk.err
        text = str(TreeHead(LOG.key.name, new, TREE.root(new)))
        signature = signed_notes.parse_signature(desk.out.removesuffix("\n"))
        assert checkpoints.verify_cosignature(text, signature, desk.key, ed25519.verify) > 0
        assert desk.seen.size == new


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (request(5, 9, tree=FORK), "a fork"),
        (request(5, 5, tree=FORK), "a fork"),
        (request(0, 9), "the last checkpoint signed has size 5"),
        (request(4, 9), "the last checkpoint signed has size 5"),
        (request(4, 4), "shrunk"),
        (request(0, 4, tree=FORK), "shrunk"),
        (request(5, 9, log=Signer("cloud.example/log")), "not a checkpoint of"),
        (request(5, 9, log=Signer("other.example/log")), "not a checkpoint of"),
        (request(5, 9).replace("\n9\n", "\n10\n"), "not a checkpoint of"),
        (str(WitnessRequest(5, (), LOG.note("hello\n"))), "not a checkpoint of"),
        (str(WitnessRequest(5, (), LOG.note(str(TreeHead("x", 9, bytes(32)))))), "is not cloud.example/log"),
    ],
)
def test_witness_refuses_a_fork_and_keeps_its_state(desk: Desk, text: str, reason: str) -> None:
    assert desk.cosign(request(0, 5)) == 0
    assert desk.cosign(text) == 1
    assert reason in desk.err
    assert not desk.out
    assert desk.seen == TreeHead(LOG.key.name, 5, TREE.root(5))
    assert desk.cosign(request(5, 9)) == 0


def test_each_log_has_its_own_state(desk: Desk) -> None:
    other = Signer("other.example/log")
    assert desk.cosign(request(0, 9)) == 0
    assert desk.cosign(request(0, 3, log=other), log=other.key) == 0
    assert desk.seen.size == 9


@pytest.mark.parametrize("text", ["", "old 0\n\n", "hello"])
def test_malformed_request_exits_with_status_2(desk: Desk, text: str) -> None:
    assert desk.cosign(text) == 2
    assert desk.err


def test_key_is_created_once_and_private(desk: Desk, tmp_path: Path) -> None:
    assert desk.run("init", str(desk.folder), "auditor.example/w") == 2
    assert (desk.folder / witness.KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert desk.run("init", str(tmp_path / "other"), "a name with spaces") == 2
    assert desk.run("cosign", str(tmp_path / "nowhere"), str(LOG.key), stdin=request(0, 1)) == 2
    assert desk.run("cosign", str(desk.folder), "no key", stdin=request(0, 1)) == 2


def test_witness_needs_no_django() -> None:
    """The witness runs on a machine of another party."""
    code = "import andromede_core.evidence.witness, sys; sys.exit('django' in sys.modules)"
    assert os.spawnl(os.P_WAIT, sys.executable, sys.executable, "-c", code) == 0
