"""Routes of security groups, their rules, and the groups of an instance."""

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ProjectView
from controlplane.api.v1.security_groups.schemas import (
    InstanceSecurityGroupsIn,
    InstanceSecurityGroupsOut,
    SecurityGroupIn,
    SecurityGroupOut,
    SecurityGroupPatch,
    SecurityGroupRuleIn,
    SecurityGroupRuleOut,
)
from controlplane.compute.instance_security_groups import instance_ports, instance_security_groups_set
from controlplane.compute.selectors import instance_get
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, created_after, exactly, labelled
from controlplane.kernel.views import Body, created, route
from controlplane.network import security_group_rules, security_groups, selectors
from controlplane.network.models import Port, SecurityGroup, SecurityGroupRule
from controlplane.network.port_groups import applied_rules, groups_of
from controlplane.network.security_group_rules import NewRule

SECURITY_GROUPS = Listing(
    {
        "name": exactly("name", "The security group of this name."),
        "created_after": created_after(),
        "labels": labelled(),
    }
)
RULES = Listing({"created_after": created_after()}, ("created_at", "-created_at"))


class SecurityGroupList(ProjectView):
    @route("security_group_list", SecurityGroupOut, listing=SECURITY_GROUPS)
    def get(self, request: Request) -> Response:
        page = SECURITY_GROUPS.page(request, selectors.security_groups(self.actor, self.project))
        return page.answer(SecurityGroupOut)

    @route("security_group_create", SecurityGroupOut, body=SecurityGroupIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        group = security_groups.security_group_create(self.actor, self.project, **body)
        return created(SecurityGroupOut(group).data, request=request)


class SecurityGroupView(ProjectView):
    def group(self) -> SecurityGroup:
        return selectors.security_group_get(self.actor, self.project, self.kwargs["security_group"])


class SecurityGroupDetail(SecurityGroupView):
    def versioned(self) -> SecurityGroup:
        return self.group()

    @route("security_group_get", SecurityGroupOut)
    def get(self, request: Request) -> Response:
        return Response(SecurityGroupOut(self.group()).data)

    @route("security_group_update", SecurityGroupOut, body=SecurityGroupPatch)
    def patch(self, request: Request, body: Body) -> Response:
        group = self.group()
        present = {"name": group.name, "description": group.description, "selector": group.selector}
        labels = merge_labels(group.labels, body.get("labels", {}))
        group = security_groups.security_group_update(self.actor, group, **{**present, **body, "labels": labels})
        return Response(SecurityGroupOut(group).data)

    @route("security_group_delete", status=204)
    def delete(self, request: Request) -> Response:
        security_groups.security_group_delete(self.actor, self.group())
        return Response(status=204)


class SecurityGroupRuleList(SecurityGroupView):
    @route("security_group_rule_list", SecurityGroupRuleOut, listing=RULES)
    def get(self, request: Request) -> Response:
        page = RULES.page(request, selectors.security_group_rules(self.actor, self.group()))
        return page.answer(SecurityGroupRuleOut)

    @route("security_group_rule_create", SecurityGroupRuleOut, body=SecurityGroupRuleIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        is_default = self.kwargs["security_group"] == security_groups.DEFAULT
        group = security_groups.default_group(self.project) if is_default else self.group()
        rule = security_group_rules.security_group_rule_create(self.actor, group, self._new(body))
        return created(SecurityGroupRuleOut(rule).data, request=request)

    def _new(self, body: Body) -> NewRule:
        peer, address_set = body.get("peer_group"), body.get("address_set")
        return NewRule(
            direction=body["direction"],
            family=body["family"],
            protocol=body["protocol"],
            ports=_range(body, "first_port", "last_port"),
            icmp=_icmp(body),
            cidrs=tuple(body["cidrs"]),
            peer=self.named(selectors.security_group_get, peer, at="peer_group") if peer else None,
            address_set=self.named(selectors.address_set_get, address_set, at="address_set") if address_set else None,
            is_logged=body["is_logged"],
            description=body["description"],
        )


class SecurityGroupRuleDetail(SecurityGroupView):
    def rule(self) -> SecurityGroupRule:
        return selectors.security_group_rule_get(self.actor, self.group(), self.kwargs["rule"])

    @route("security_group_rule_get", SecurityGroupRuleOut)
    def get(self, request: Request) -> Response:
        return Response(SecurityGroupRuleOut(self.rule()).data)

    @route("security_group_rule_delete", status=204)
    def delete(self, request: Request) -> Response:
        security_group_rules.security_group_rule_delete(self.actor, self.rule())
        return Response(status=204)


class InstanceSecurityGroups(ProjectView):
    @route("security_group_of_instance_get", InstanceSecurityGroupsOut)
    def get(self, request: Request) -> Response:
        instance = instance_get(self.actor, self.project, self.kwargs["instance"])
        return Response(_groups_document(instance_ports(instance)))

    @route("security_group_of_instance_set", InstanceSecurityGroupsOut, body=InstanceSecurityGroupsIn)
    def put(self, request: Request, body: Body) -> Response:
        instance = instance_get(self.actor, self.project, self.kwargs["instance"])
        groups = self.all_named(selectors.security_group_get, body["security_groups"], at="security_groups")
        return Response(_groups_document(instance_security_groups_set(self.actor, instance, groups)))


def _groups_document(ports: Sequence[Port]) -> dict[str, Any]:
    context = {"groups": groups_of(port.pk for port in ports), "rules": applied_rules(ports)}
    return {"ports": InstanceSecurityGroupsOut({"ports": ports}, context=context).data["ports"]}


def _range(body: Body, first: str, last: str) -> tuple[int, int] | None:
    """Return the first and the last port; one alone stands for both."""
    given = [body[name] for name in (first, last) if name in body]
    return (given[0], given[-1]) if given else None


def _icmp(body: Body) -> tuple[int, int | None] | None:
    """Return type and code. Raises SecurityGroupRuleInvalid: a code without a type."""
    if "icmp_type" in body:
        return body["icmp_type"], body.get("icmp_code")
    if "icmp_code" in body:
        raise security_group_rules.code_without_type()
    return None
