"""Builds the parts that check permits and write receipts, over one state store."""

from dataclasses import dataclass

from agents.node.state_store import StateStore
from agents.node.trust.admission import Admission
from agents.node.trust.clock import Clock
from agents.node.trust.documents import Authority
from agents.node.trust.keys import NodeKey
from agents.node.trust.receipts import Receipts
from agents.node.trust.start_authorizations import StartAuthorizations
from agents.node.trust.store import TrustStore
from andromede_core.documents.signed import Verify


@dataclass(frozen=True, slots=True)
class Permits:
    clock: Clock
    key: NodeKey
    store: TrustStore
    receipts: Receipts
    starts: StartAuthorizations
    admission: Admission

    @classmethod
    def open(cls, state_store: StateStore, *, key: NodeKey, zone: str, root: Verify, clock: Clock) -> "Permits":
        """Open the parts. `zone` is that of the node's certificate; `root` checks the offline root's signatures."""
        store = TrustStore(state_store, Authority(key.id, zone, root))
        receipts = Receipts(state_store, key, zone=zone, clock=clock)
        admission = Admission(state_store, store, node=key.id, clock=clock, receipts=receipts)
        return cls(clock, key, store, receipts, StartAuthorizations(clock), admission)
