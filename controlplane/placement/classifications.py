"""Classifications: named policies that follow data. The platform ships some, organizations create theirs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Q, QuerySet

from andromede_core.documents.parsing import as_bool, as_choice, as_list, as_object, as_slug, as_text
from controlplane.identity.actor import Actor
from controlplane.identity.models import Organization, Project
from controlplane.identity.row_locks import lock_organization
from controlplane.kernel import count_limits
from controlplane.kernel.db import raise_on_violation
from controlplane.kernel.names import check_name
from controlplane.placement import policies
from controlplane.placement.errors import (
    ClassificationIdTooLong,
    ClassificationNotFound,
    ClassificationTaken,
)
from controlplane.placement.models import DRIFT_ACTIONS, Classification
from controlplane.placement.policies import AT_ONCE
from controlplane.placement.policy_owners import PolicyOwner

SCHEMA = "andromede.classifications/1"
ID_MAX = 56  # the rest of a policy's 64 letters holds the version


@dataclass(frozen=True)
class NewClassification:
    name: str
    title: str
    title_fr: str
    description: str = ""
    description_fr: str = ""
    drift_action: str = "flag"
    clauses: Sequence[object] = field(default=())


def visible(organization: Organization | None) -> QuerySet[Classification]:
    """Return the platform's, and this organization's own."""
    own = Q(organization=None) | Q(organization=organization)
    return Classification.objects.select_related("organization").filter(own).order_by("pk")


def visible_to(actor: Actor) -> QuerySet[Classification]:
    """Return those of every organization, for actors that see all."""
    rows = Classification.objects.select_related("organization").order_by("pk")
    return rows if actor.sees_all else rows.filter(Q(organization=None) | Q(organization__in=actor.organization_ids))


def classification_get(rows: QuerySet[Classification], ref: str) -> Classification:
    classification = rows.filter(pk=ref).first()
    if classification is None:
        raise ClassificationNotFound(name=ref)
    return classification


def usable_classification(actor: Actor, project: Project, ref: str) -> Classification:
    """Return a classification that data in the project may have."""
    return classification_get(visible(project.organization), ref)


@transaction.atomic
def classification_create(actor: Actor, organization: Organization, new: NewClassification) -> Classification:
    """Create a classification of an organization.

    Its id is the organization's name, a dot, and its own name, so that names of organizations neither collide nor
    reveal each other.

    Raises:
        RoleNeeded: the actor is neither one of its sovereignty officers nor an operator.
        InvalidName, ClassificationIdTooLong, ClassificationTaken, PolicyInvalid, PolicyEmpty, OrganizationNotFound,
            CountExhausted.
    """
    policies.may_tighten(actor, PolicyOwner(organization=organization))
    lock_organization(organization)
    count_limits.require_below_limit("classifications", Classification.objects.filter(organization=organization))
    prefix = f"{organization.name}."
    if len(prefix + check_name(new.name)) > ID_MAX:
        raise ClassificationIdTooLong(field="name", prefix=prefix, limit=max(0, ID_MAX - len(prefix)))
    classification = Classification(
        id=prefix + new.name,
        organization=organization,
        title=new.title,
        title_fr=new.title_fr,
        description=new.description,
        description_fr=new.description_fr,
        drift_action=new.drift_action,
    )
    with raise_on_violation("placement_classification_pkey", ClassificationTaken(field="name", name=classification.pk)):
        classification.save(force_insert=True)
    owner = PolicyOwner(classification=classification)
    head = policies.lock_head(owner)
    policies.put_in_force(actor, owner, policies.policy_review(owner, new.clauses), head)
    return classification


@dataclass(frozen=True)
class ClassificationsImport:
    """The result of an import.

    `kept`: stored ones that are stricter than the file, or differ from it; an operator decides on them.
    """

    known: int
    changed: int
    kept: tuple[str, ...]


@transaction.atomic(durable=True)
def classifications_import(actor: Actor, document: object) -> ClassificationsImport:
    """Import the platform's classifications from the decoded JSON file; the ones that it does not name stay.

    An import only makes their clauses, their drift action and their support stricter, never looser.

    Raises:
        Malformed: at a place such as classifications[3].atoms.
        PolicyInvalid, PolicyEmpty.
    """
    actor.may_operate()
    body = as_object(document, "file", required=("schema", "classifications"), optional=("comment",))
    as_choice(body["schema"], "schema", among=(SCHEMA,))
    listed = as_list(body["classifications"], "classifications")
    items = [_read(item, f"classifications[{n}]") for n, item in enumerate(listed)]
    changed, unchanged = 0, []
    for classification, clauses in items:
        is_changed, is_kept = _take(actor, classification, clauses)
        changed += is_changed
        unchanged += [classification.pk] if is_kept else []
    return ClassificationsImport(known=len(items), changed=changed, kept=tuple(unchanged))


def _take(actor: Actor, new: Classification, clauses: Sequence[object]) -> tuple[bool, bool]:
    """Import one; returns if it was changed, and if a stricter one was kept."""
    owner = PolicyOwner(classification=new)
    head = policies.lock_head(owner)
    current = Classification.objects.filter(pk=new.pk).first()
    is_stricter = is_kept = False
    if current is not None:
        is_kept = _keep_stricter(new, current)
        is_stricter = (new.drift_action, new.is_supported) != (current.drift_action, current.is_supported)
    is_changed = current is None or _texts(current) != _texts(new)
    if is_changed:
        new.save()
    review = policies.policy_review(owner, clauses)
    if review.base_version and review.change not in AT_ONCE:
        is_kept = True
        review = policies.review_in_force(owner)
    if not review.base_version or review.change == "tighter" or is_stricter:
        policies.put_in_force(actor, owner, review, head)
        is_changed = True
    return is_changed, is_kept


def _keep_stricter(new: Classification, current: Classification) -> bool:
    """Keep `new` at least as strict as the stored one; returns if that changed it.

    A classification never gets looser: its name is on data already, whose owners rely on it. A looser one needs another
    name.
    """
    is_milder = DRIFT_ACTIONS.index(new.drift_action) < DRIFT_ACTIONS.index(current.drift_action)
    is_opened = new.is_supported and not current.is_supported
    if is_milder:
        new.drift_action = current.drift_action
    if is_opened:
        new.is_supported = False
    return is_milder or is_opened


def _read(item: object, at: str) -> tuple[Classification, Sequence[object]]:
    texts = ("title", "title_fr", "description", "description_fr")
    body = as_object(item, at, required=("id", *texts, "atoms"), optional=("drift_action", "is_supported"))
    classification = Classification(
        id=as_slug(as_text(body["id"], f"{at}.id", limit=ID_MAX), f"{at}.id"),
        drift_action=as_choice(body.get("drift_action", "flag"), f"{at}.drift_action", among=DRIFT_ACTIONS),
        is_supported=as_bool(body.get("is_supported", True), f"{at}.is_supported"),
        **{name: as_text(body[name], f"{at}.{name}", limit=500) for name in texts},
    )
    return classification, as_list(body["atoms"], f"{at}.atoms")


def _texts(row: Classification) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
