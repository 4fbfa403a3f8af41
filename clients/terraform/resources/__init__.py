"""Lists of the provider's resources, data sources and actions."""

from clients.terraform.cloud import Cloud
from clients.terraform.resources import data_sources
from clients.terraform.resources.actions import InstanceReboot
from clients.terraform.resources.address_set import AddressSetResource
from clients.terraform.resources.affinity_group import AffinityGroupResource
from clients.terraform.resources.image import ImageResource
from clients.terraform.resources.instance import InstanceResource
from clients.terraform.resources.network import NetworkResource, PortResource, SubnetResource
from clients.terraform.resources.policy import PolicyResource
from clients.terraform.resources.project import ProjectResource, QuotaResource
from clients.terraform.resources.public_ip import PublicIpAssociationResource, PublicIpResource
from clients.terraform.resources.security_group import SecurityGroupResource, SecurityGroupRuleResource
from clients.terraform.resources.service_account import ServiceAccountResource, ServiceAccountTokenResource
from clients.terraform.resources.snapshot_schedule import SnapshotScheduleResource
from clients.terraform.resources.ssh_key import SshKeyResource
from clients.terraform.resources.token import EphemeralToken, TokenResource
from clients.terraform.resources.volume import VolumeAttachmentResource, VolumeResource
from clients.terraform.resources.volume_snapshot import VolumeSnapshotResource
from clients.terraform.resources.webhook import WebhookResource
from clients.terraform.runtime.provider import Action, DataSource, EphemeralResource, Resource


def resources(cloud: Cloud) -> list[Resource]:
    return [
        AddressSetResource(cloud),
        AffinityGroupResource(cloud),
        ImageResource(cloud),
        InstanceResource(cloud),
        NetworkResource(cloud),
        PolicyResource(cloud),
        PortResource(cloud),
        ProjectResource(cloud),
        PublicIpResource(cloud),
        PublicIpAssociationResource(cloud),
        QuotaResource(cloud),
        SecurityGroupResource(cloud),
        SecurityGroupRuleResource(cloud),
        ServiceAccountResource(cloud),
        ServiceAccountTokenResource(cloud),
        SnapshotScheduleResource(cloud),
        SshKeyResource(cloud),
        SubnetResource(cloud),
        TokenResource(cloud),
        VolumeResource(cloud),
        VolumeAttachmentResource(cloud),
        VolumeSnapshotResource(cloud),
        WebhookResource(cloud),
    ]


def all_data_sources(cloud: Cloud) -> list[DataSource]:
    return [make(cloud) for make in data_sources.ALL]


def actions(cloud: Cloud) -> list[Action]:
    return [InstanceReboot(cloud)]


def ephemeral_resources(cloud: Cloud) -> list[EphemeralResource]:
    return [EphemeralToken(cloud)]
