"""Networks and security groups that an actor may see."""

from typing import Any

from django.db.models import QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.db import by_id
from controlplane.kernel.prepared_queries import PreparedByRef
from controlplane.network.errors import NetworkNotFound, SecurityGroupNotFound, SecurityGroupRuleNotFound
from controlplane.network.models import Network, SecurityGroup, SecurityGroupRule


def _networks(project: Any) -> QuerySet[Network]:
    return Network.objects.filter(project=project).select_related("subnet")


NETWORK = PreparedByRef(_networks, NetworkNotFound)


def networks(actor: Actor, project: Project) -> QuerySet[Network]:
    return _networks(project)


def network_get(actor: Actor, project: Project, ref: str) -> Network:
    return NETWORK.get(ref, project.pk)


def _security_groups(project: Any) -> QuerySet[SecurityGroup]:
    return SecurityGroup.objects.filter(project=project)


SECURITY_GROUP = PreparedByRef(_security_groups, SecurityGroupNotFound)


def security_groups(actor: Actor, project: Project) -> QuerySet[SecurityGroup]:
    return _security_groups(project)


def security_group_get(actor: Actor, project: Project, ref: str) -> SecurityGroup:
    return SECURITY_GROUP.get(ref, project.pk)


def security_group_rules(actor: Actor, group: SecurityGroup) -> QuerySet[SecurityGroupRule]:
    return group.rules.select_related("peer_group", "group")


def security_group_rule_get(actor: Actor, group: SecurityGroup, ref: str) -> SecurityGroupRule:
    """Raises SecurityGroupRuleNotFound."""
    rule = by_id(security_group_rules(actor, group), ref)
    if rule is None:
        raise SecurityGroupRuleNotFound(name=ref)
    return rule
