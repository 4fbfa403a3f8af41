"""Members of security groups by selector: the filtered ports of a project whose labels the selector of a group selects.

The labels of a port are those of its instance and its own; where both have a key, its own value counts. They are
written as rows of PortSecurityGroup, by each transaction that changes ports, labels or selectors, so that nothing is
searched when documents are made or requests are answered.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db.models import JSONField, QuerySet
from django.db.models.expressions import RawSQL

from andromede_core.documents.messages import Message
from controlplane.kernel.label_selectors import label_selector
from controlplane.kernel.prepared_queries import Prepared, preparing_cursor
from controlplane.network import port_rules
from controlplane.network.errors import SelectorInvalid, SelectorsExhausted
from controlplane.network.group_rows import LOCK_SELECTORS, insert_pairs
from controlplane.network.models import Port, PortBinding, PortSecurityGroup, SecurityGroup

SELECTORS_MAX = 20  # groups with a selector in a project: each is compared with each new port
# The app of instances is above this one, so the table is named.
LABELS = """
coalesce((SELECT labels FROM compute_instance WHERE id = network_port.instance_id), '{}'::jsonb) || network_port.labels
"""
WITH_SELECTOR = Prepared(
    lambda project: SecurityGroup.objects.filter(project=project).exclude(selector="").order_by("pk")
)


def check_selector(text: str) -> str:
    """Return the selector without outer blanks. Raises SelectorInvalid."""
    try:
        label_selector(text, "labels")
    except ValueError as exc:
        reason = exc.args[0]
        raise SelectorInvalid(field="selector", reason=reason if isinstance(reason, Message) else str(reason)) from exc
    return text.strip()


def check_selectors_number(project_id: UUID) -> None:
    """Raise SelectorsExhausted if no further group of the project may have a selector. Inside the transaction."""
    _lock(project_id)
    if len(WITH_SELECTOR.rows(project_id)) >= SELECTORS_MAX:
        raise SelectorsExhausted(field="selector", limit=SELECTORS_MAX)


def selected_groups_refresh(
    project_id: UUID,
    *,
    ports: Collection[UUID] | None = None,
    group: SecurityGroup | None = None,
    is_locked: bool = False,
) -> None:
    """Write which ports the selectors select, inside the caller's transaction, after its change.

    `ports`: only of these, whose labels or instance have changed; `group`: only of this one, whose selector has
    changed; `is_locked`: the transaction has the lock of the selectors. The nodes get new documents after the commit.
    """
    if not is_locked:
        _lock(project_id)
    changed: set[UUID] = set()
    for each in (group,) if group is not None else WITH_SELECTOR.rows(project_id):
        moved = _refresh(each, ports)
        if moved:
            port_rules.request_group(each.pk)
        changed |= moved
    if changed:
        _request_lists(changed)


def selected_groups_end(group: SecurityGroup) -> None:
    """Take the group from all ports that its selector selects: it is deleted. Inside the caller's transaction."""
    rows = PortSecurityGroup.objects.filter(group=group, is_selected=True)
    ports = set(rows.values_list("port", flat=True))
    rows.delete()
    _request_lists(ports)


def instance_labels_changed(project_id: UUID, instance_id: UUID) -> None:
    """Write which selectors select the ports of an instance whose labels have changed. Inside the transaction."""
    ports = list(Port.objects.filter(instance_id=instance_id).values_list("pk", flat=True))
    if ports:
        selected_groups_refresh(project_id, ports=ports)


def _lock(project_id: UUID) -> None:
    with preparing_cursor() as cursor:
        cursor.execute(LOCK_SELECTORS, {"project": project_id})


def _refresh(group: SecurityGroup, among: Collection[UUID] | None) -> set[UUID]:
    """Write the members by selector of one group. Returns the ports that joined or left."""
    present = PortSecurityGroup.objects.filter(group=group, is_selected=True)
    selected = _selected(group)
    if among is not None:
        present, selected = present.filter(port__in=among), selected.filter(pk__in=among)
    before, after = set(present.values_list("port", flat=True)), set(selected.values_list("pk", flat=True))
    present.filter(port__in=before - after).delete()
    insert_pairs([(port, group.pk) for port in sorted(after - before)], is_selected=True)
    return before ^ after


def _selected(group: SecurityGroup) -> QuerySet[Port]:
    if not group.selector:
        return Port.objects.none()
    labels = RawSQL(LABELS, [], output_field=JSONField())
    rows = Port.objects.filter(project=group.project_id, is_filtered=True).annotate(all_labels=labels)
    return rows.filter(label_selector(group.selector, "all_labels"))


def _request_lists(ports: Iterable[UUID]) -> None:
    """Request new lists of the networks of these ports: one port names its network, in each zone."""
    rows = PortBinding.objects.filter(port__in=list(ports)).values_list("port__network", "node__zone", "port")
    for (_network, zone), port in {(network, zone): port for network, zone, port in rows}.items():
        port_rules.request_port_rules(port, zone)
