"""Leave for what a step does on a node.

Every wish that gives a node data or work carries a permit: for_…() is the one way to get it. A step asks each time it
runs; what the operation got before is found again as long as it counts.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID

from agents.protocol import agent_pb2 as pb
from controlplane.compute.attachments import ask_for_attached, ask_for_whole
from controlplane.compute.migrate import ask_for_move
from controlplane.compute.models import Attachment, Instance, Migration
from controlplane.kernel import clock
from controlplane.nodes import agent_client, trust
from controlplane.nodes.agent_client import Grant
from controlplane.nodes.duties import need_here
from controlplane.nodes.errors import NodeFailed, NodeNotTrusting, NodeRefused
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.placement import admissibility, permits
from controlplane.placement import services as placement
from controlplane.placement.decisions import Ask
from controlplane.placement.effective import Source
from controlplane.placement.errors import SignerSilent
from controlplane.placement.models import Allocation, Decision
from controlplane.placement.permits import Wanted
from controlplane.storage.models import Volume
from controlplane.storage.services import ask_for as ask_for_volume
from controlplane.workflows.recipe import NotYet

PERMIT_REFUSED = "agent.permit."
MENDABLE = frozenset({"unknown_key", "no_charter", "stale_facts", "revoked_by_epoch", "expired"})
MIGRATE_OUT = "instance.migrate-out"
ASK_SIGNER_AGAIN = timedelta(milliseconds=500)


def for_instance(operation: Operation, instance: Instance, *, gets: Iterable[Source] = ()) -> Grant:
    """`gets`: the sources whose data it is about to hold, besides those of its volumes. Like the others:

    Raises:
        NoAllocation, PolicyUnsatisfiable, FleetChanged: what placement says now.
        NotYet: the signer has not answered.
        NodeAway: its node is being serviced.
        CloudError: the signer's refusal.
    """

    def ask() -> Ask:
        volumes = Attachment.objects.filter(instance=instance).values_list("volume_id", flat=True)
        return ask_for_whole(instance, volumes, operation=operation.kind, gets=gets)

    return _leave(operation, placement.grant(instance.pk), ask, generation=instance.generation)


def for_volume(operation: Operation, volume: Volume) -> Grant:
    ask = partial(ask_for_volume, volume, operation=operation.kind)
    return _leave(operation, placement.grant(volume.pk), ask, generation=volume.generation)


def for_attachment(operation: Operation, attachment: Attachment) -> Grant:
    volume = attachment.volume
    holder = Source(attachment.instance_id, volume.project)
    ask = partial(ask_for_attached, volume, holder, operation=operation.kind)
    return _leave(operation, placement.grant(volume.pk), ask, generation=volume.generation)


def for_arrival(operation: Operation, migration: Migration) -> Grant:
    """At its destination, by the decision that the place there rests on."""
    return _leave(operation, _there(migration), partial(ask_for_move, migration), generation=migration.generation)


def for_departure(operation: Operation, migration: Migration) -> Grant:
    """At its source, to send it. It takes a decision about the destination that still stands: what is not admitted
    there any more is not sent."""
    place = replace(_there(migration), node=migration.source)
    generation = migration.instance.generation
    return _leave(operation, place, partial(ask_for_move, migration), generation=generation, op=MIGRATE_OUT)


def _there(migration: Migration) -> Grant:
    return placement.grant(migration.pk)


def _leave(
    operation: Operation, place: Grant, ask: Callable[[], Ask], *, generation: int, op: str | None = None
) -> Grant:
    """`op`: of the permit, if it is not the operation's kind."""
    agent_client.need_hope(place.node)
    need_here(place.node, operation.kind)
    wanted = Wanted(operation, op or operation.kind, place.node.pk, generation)
    leave = permits.valid(wanted)
    if leave is None:
        try:
            leave = permits.need(wanted, decide=partial(_decision, operation, ask, place))
        except SignerSilent as exc:
            if clock.now() >= operation.deadline_at:
                raise
            raise NotYet(f"waits for the {exc.facts['process']}", delay=ASK_SIGNER_AGAIN) from exc
    if place.node.facts_epoch < leave.epoch:
        tell(place.node)
    return replace(place, permit=leave.document, cosignature=leave.cosignature, policies=leave.policies, jti=leave.jti)


def _decision(operation: Operation, ask: Callable[[], Ask], place: Grant) -> UUID:
    """The one that the operation's claim rests on, or a new one."""
    claimed = Decision.objects.select_related("project").defer("document").get(pk=place.decision_id)
    is_ours = claimed.operation == operation.kind and claimed.created_at >= operation.created_at
    sight = admissibility.look(claimed.project.organization_id, claimed.consumer_id)
    if is_ours and permits.stands(claimed, sight.standing):
        return claimed.pk
    return placement.renew(replace(ask(), operation_id=operation.pk)).pk


def ahead(operation: Operation, place: Allocation, *, generation: int) -> None:
    """Ask for the permit that the next step needs, as soon as there is a place: the signer works while we write."""
    permits.ask(Wanted(operation, operation.kind, place.node_id, generation), decide=lambda: place.decision_id)


def tell(node: Node) -> None:
    """Hand the node what it does not trust yet, without waiting for its next heartbeat."""
    request = trust.due(node)
    if request is not None:
        trust.note(node, agent_client.ensure_trust(node, request))


@contextmanager
def used(grant: Grant) -> Iterator[None]:
    """A permit that its node does not take is not tried again. If the node lacks what it checks permits by, as after
    its disk was replaced, it is told everything, and the next permit will do.

    Raises:
        NodeNotTrusting: in that case.
    """
    try:
        yield
    except (NodeFailed, NodeRefused) as exc:
        code = str(exc.facts.get("agent_code"))
        if grant.jti is None or not code.startswith(PERMIT_REFUSED):
            raise
        permits.spent(grant.jti)
        if code.removeprefix(PERMIT_REFUSED) not in MENDABLE:
            raise
        trust.note(grant.node, pb.TrustState())
        tell(grant.node)
        raise NodeNotTrusting(reason=exc.facts.get("reason"), agent_code=code) from exc
