"""Classifications: policies by a name, which data carries along. The platform ships some, organizations make theirs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Q, QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.models import Organization, Project
from controlplane.kernel.db import refusing
from controlplane.kernel.names import check_name
from controlplane.placement import policies
from controlplane.placement.core.reading import as_bool, as_choice, as_list, as_object, as_slug, as_text
from controlplane.placement.errors import (
    ClassificationIdTooLong,
    ClassificationNotFound,
    ClassificationTaken,
)
from controlplane.placement.models import DRIFT_ACTIONS, Classification
from controlplane.placement.policies import AT_ONCE, Owner

SCHEMA = "andromede.classifications/1"
ID_MAX = 56  # what is left of a policy's 64 letters holds the version


@dataclass(frozen=True)
class NewClassification:
    name: str
    title: str
    title_fr: str
    description: str = ""
    description_fr: str = ""
    drift_action: str = "flag"
    atoms: Sequence[object] = field(default=())


def visible(organization: Organization | None) -> QuerySet[Classification]:
    """The platform's, and this organization's own."""
    own = Q(organization=None) | Q(organization=organization)
    return Classification.objects.select_related("organization").filter(own).order_by("pk")


def seen_by(actor: Actor) -> QuerySet[Classification]:
    """Those of every organization, for who sees all."""
    rows = Classification.objects.select_related("organization").order_by("pk")
    return rows if actor.sees_all else rows.filter(Q(organization=None) | Q(organization_id=actor.organization_id))


def classification_get(rows: QuerySet[Classification], ref: str) -> Classification:
    found = rows.filter(pk=ref).first()
    if found is None:
        raise ClassificationNotFound(name=ref)
    return found


def usable(actor: Actor, project: Project, ref: str) -> Classification:
    """One that data in the project may be classified as."""
    return classification_get(visible(project.organization), ref)


@transaction.atomic(durable=True)
def classification_create(actor: Actor, organization: Organization, new: NewClassification) -> Classification:
    """An organization's own. Its id is the organization's name, a dot, and its own name, so that organizations neither
    stand in each other's way nor learn of each other's.

    Raises:
        RoleNeeded: not one of its sovereignty officers, and no operator.
        InvalidName, ClassificationIdTooLong, ClassificationTaken, PolicyInvalid, PolicyEmpty.
    """
    policies.may_tighten(actor, Owner(organization=organization))
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
    with refusing("placement_classification_pkey", ClassificationTaken(field="name", name=classification.pk)):
        classification.save(force_insert=True)
    owner = Owner(classification=classification)
    head = policies.lock_head(owner)
    policies.write(actor, owner, policies.policy_review(owner, new.atoms), head)
    return classification


@dataclass(frozen=True)
class ClassificationsImport:
    """`kept`: those whose policy here demands more, or something else, than the file: people decide on that."""

    known: int
    changed: int
    kept: tuple[str, ...]


@transaction.atomic(durable=True)
def classifications_import(actor: Actor, document: object) -> ClassificationsImport:
    """Make the platform's classifications those of the decoded JSON file; what it does not name stays. A policy is only
    ever tightened by it.

    Raises:
        Malformed: at a place such as classifications[3].atoms.
        PolicyInvalid, PolicyEmpty.
    """
    actor.may_operate()
    body = as_object(document, "file", required=("schema", "classifications"), optional=("comment",))
    as_choice(body["schema"], "schema", among=(SCHEMA,))
    listed = as_list(body["classifications"], "classifications")
    items = [_read(item, f"classifications[{n}]") for n, item in enumerate(listed)]
    changed, kept = 0, []
    for classification, atoms in items:
        known = Classification.objects.filter(pk=classification.pk).first()
        is_new = known is None or _texts(known) != _texts(classification)
        if is_new:
            classification.save()
        did = _take_policy(actor, classification, atoms)
        changed += is_new or did is True
        kept += [classification.pk] if did is False else []
    return ClassificationsImport(known=len(items), changed=changed, kept=tuple(kept))


def _take_policy(actor: Actor, classification: Classification, atoms: Sequence[object]) -> bool | None:
    """True when the policy was set, False when another one is in force that it may not replace, None when it is."""
    owner = Owner(classification=classification)
    head = policies.lock_head(owner)
    review = policies.policy_review(owner, atoms)
    if not review.base_version or review.change == "tighter":
        policies.write(actor, owner, review, head)
        return True
    return None if review.change in AT_ONCE else False


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
