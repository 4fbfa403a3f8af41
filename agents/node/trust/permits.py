"""All that the node needs to judge permits and to account for what was done under them, over one ledger."""

from dataclasses import dataclass

from agents.node.ledger import Ledger
from agents.node.trust.admission import Admission
from agents.node.trust.clock import Clock
from agents.node.trust.documents import Authority
from agents.node.trust.keys import NodeKey
from agents.node.trust.receipts import Receipts
from agents.node.trust.starts import Starts
from agents.node.trust.store import TrustStore
from andromede_core.documents.signed import Verify


@dataclass(frozen=True, slots=True)
class Permits:
    clock: Clock
    key: NodeKey
    store: TrustStore
    receipts: Receipts
    starts: Starts
    admission: Admission

    @classmethod
    def open(cls, ledger: Ledger, *, key: NodeKey, zone: str, root: Verify, clock: Clock) -> "Permits":
        """`zone`: of the node's certificate; `root` checks the offline root's signatures."""
        store = TrustStore(ledger, Authority(key.id, zone, root))
        receipts = Receipts(ledger, key, zone=zone, clock=clock)
        admission = Admission(ledger, store, node=key.id, clock=clock, receipts=receipts)
        return cls(clock, key, store, receipts, Starts(clock), admission)
