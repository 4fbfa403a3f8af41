"""Schemas of projects."""

from controlplane.api.v1.organizations.schemas import OrganizationOut, PermissionsOut
from controlplane.kernel.fields import (
    In,
    Labels,
    Name,
    NamedOut,
)


class ProjectIn(In):
    example = {"name": "web", "labels": {"env": "prod"}}

    name = Name()
    labels = Labels(default=dict)


class ProjectOut(OrganizationOut):
    organization = NamedOut()


class ProjectWithPermissionsOut(ProjectOut, PermissionsOut):
    __doc__ = PermissionsOut.__doc__
