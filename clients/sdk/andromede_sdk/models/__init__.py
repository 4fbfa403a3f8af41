# Made from docs/reference/openapi.json by `make clients`.
"""The things that the API answers, and the ones inside bodies that are not plain values: a
module for each kind of them, which is loaded when it is first used."""

from typing import TYPE_CHECKING

from andromede_sdk.lazy_imports import loader

if TYPE_CHECKING:
    from andromede_sdk.models.address_pools import AddressPool as AddressPool
    from andromede_sdk.models.address_pools import UsableAddressPool as UsableAddressPool
    from andromede_sdk.models.address_sets import AddressSet as AddressSet
    from andromede_sdk.models.affinity_groups import AffinityGroup as AffinityGroup
    from andromede_sdk.models.announcers import Announcer as Announcer
    from andromede_sdk.models.announcers import AnnouncerIncident as AnnouncerIncident
    from andromede_sdk.models.announcers import AnnouncerSessions as AnnouncerSessions
    from andromede_sdk.models.attachments import Attachment as Attachment
    from andromede_sdk.models.attachments import AttachmentWithOperation as AttachmentWithOperation
    from andromede_sdk.models.catalogue import Catalogue as Catalogue
    from andromede_sdk.models.classifications import Classification as Classification
    from andromede_sdk.models.common import Atom as Atom
    from andromede_sdk.models.common import Challenge as Challenge
    from andromede_sdk.models.common import Clause as Clause
    from andromede_sdk.models.common import Compliance as Compliance
    from andromede_sdk.models.common import Condition as Condition
    from andromede_sdk.models.common import ConflictingAtom as ConflictingAtom
    from andromede_sdk.models.common import Contradicted as Contradicted
    from andromede_sdk.models.common import CreatedBy as CreatedBy
    from andromede_sdk.models.common import Deed as Deed
    from andromede_sdk.models.common import Drifted as Drifted
    from andromede_sdk.models.common import Error as Error
    from andromede_sdk.models.common import Grant as Grant
    from andromede_sdk.models.common import Guest as Guest
    from andromede_sdk.models.common import HeldPublicAddress as HeldPublicAddress
    from andromede_sdk.models.common import IoLimits as IoLimits
    from andromede_sdk.models.common import Layer as Layer
    from andromede_sdk.models.common import Lint as Lint
    from andromede_sdk.models.common import Metrics as Metrics
    from andromede_sdk.models.common import Named as Named
    from andromede_sdk.models.common import Part as Part
    from andromede_sdk.models.common import PasskeyAnswerInput as PasskeyAnswerInput
    from andromede_sdk.models.common import PlacementSimulation as PlacementSimulation
    from andromede_sdk.models.common import PlatformOperation as PlatformOperation
    from andromede_sdk.models.common import PolicyAction as PolicyAction
    from andromede_sdk.models.common import PolicySet as PolicySet
    from andromede_sdk.models.common import PortAddress as PortAddress
    from andromede_sdk.models.common import PortGroup as PortGroup
    from andromede_sdk.models.common import Proposal as Proposal
    from andromede_sdk.models.common import QuotaLimitsInput as QuotaLimitsInput
    from andromede_sdk.models.common import RecoveryCodes as RecoveryCodes
    from andromede_sdk.models.common import RelocationZone as RelocationZone
    from andromede_sdk.models.common import RequestRecord as RequestRecord
    from andromede_sdk.models.common import Series as Series
    from andromede_sdk.models.common import SessionWithSecret as SessionWithSecret
    from andromede_sdk.models.common import StaticRoute as StaticRoute
    from andromede_sdk.models.common import StaticRouteInput as StaticRouteInput
    from andromede_sdk.models.common import Step as Step
    from andromede_sdk.models.common import TokenWithSecret as TokenWithSecret
    from andromede_sdk.models.common import Try as Try
    from andromede_sdk.models.decisions import Decision as Decision
    from andromede_sdk.models.drains import Drain as Drain
    from andromede_sdk.models.drains import DrainSummary as DrainSummary
    from andromede_sdk.models.events import Event as Event
    from andromede_sdk.models.events import EventActor as EventActor
    from andromede_sdk.models.events import EventResource as EventResource
    from andromede_sdk.models.events import Events as Events
    from andromede_sdk.models.evidence import Entry as Entry
    from andromede_sdk.models.evidence import Proof as Proof
    from andromede_sdk.models.evidence import Record as Record
    from andromede_sdk.models.evidence_exports import Export as Export
    from andromede_sdk.models.exemptions import ExemptedClause as ExemptedClause
    from andromede_sdk.models.exemptions import Exemption as Exemption
    from andromede_sdk.models.exemptions import ExemptionApproval as ExemptionApproval
    from andromede_sdk.models.exemptions import ExemptionReport as ExemptionReport
    from andromede_sdk.models.facts import Fact as Fact
    from andromede_sdk.models.facts import FactsStated as FactsStated
    from andromede_sdk.models.facts import SignedFactInput as SignedFactInput
    from andromede_sdk.models.flavors import Flavor as Flavor
    from andromede_sdk.models.health import Health as Health
    from andromede_sdk.models.identities import Identity as Identity
    from andromede_sdk.models.images import Image as Image
    from andromede_sdk.models.images import ImageSource as ImageSource
    from andromede_sdk.models.images import ImageWithOperation as ImageWithOperation
    from andromede_sdk.models.incidents import Incident as Incident
    from andromede_sdk.models.incidents import IncidentOfNode as IncidentOfNode
    from andromede_sdk.models.instances import Action as Action
    from andromede_sdk.models.instances import Address as Address
    from andromede_sdk.models.instances import AddressPort as AddressPort
    from andromede_sdk.models.instances import Console as Console
    from andromede_sdk.models.instances import Instance as Instance
    from andromede_sdk.models.instances import InstanceSnapshotsWithOperation as InstanceSnapshotsWithOperation
    from andromede_sdk.models.instances import InstanceWithActions as InstanceWithActions
    from andromede_sdk.models.instances import InstanceWithOperation as InstanceWithOperation
    from andromede_sdk.models.instances import Migration as Migration
    from andromede_sdk.models.instances import MigrationPlan as MigrationPlan
    from andromede_sdk.models.instances import RelocationPlan as RelocationPlan
    from andromede_sdk.models.instances import Tunnel as Tunnel
    from andromede_sdk.models.invitations import Invitation as Invitation
    from andromede_sdk.models.invitations import InvitationWithToken as InvitationWithToken
    from andromede_sdk.models.jurisdictions import Jurisdiction as Jurisdiction
    from andromede_sdk.models.jurisdictions import Reach as Reach
    from andromede_sdk.models.jwks import JsonWebKey as JsonWebKey
    from andromede_sdk.models.jwks import JsonWebKeySet as JsonWebKeySet
    from andromede_sdk.models.limits import Limit as Limit
    from andromede_sdk.models.limits import Limits as Limits
    from andromede_sdk.models.maintenance import Maintenance as Maintenance
    from andromede_sdk.models.me import Credential as Credential
    from andromede_sdk.models.me import Me as Me
    from andromede_sdk.models.me import Membership as Membership
    from andromede_sdk.models.me import Scope as Scope
    from andromede_sdk.models.members import Member as Member
    from andromede_sdk.models.networks import EgressAddress as EgressAddress
    from andromede_sdk.models.networks import Network as Network
    from andromede_sdk.models.networks import SubnetSummary as SubnetSummary
    from andromede_sdk.models.networks import Topology as Topology
    from andromede_sdk.models.networks import TopologyInstance as TopologyInstance
    from andromede_sdk.models.networks import TopologyPort as TopologyPort
    from andromede_sdk.models.networks import TopologyPublicAddress as TopologyPublicAddress
    from andromede_sdk.models.networks import TopologySubnet as TopologySubnet
    from andromede_sdk.models.nodes import Amounts as Amounts
    from andromede_sdk.models.nodes import Bmc as Bmc
    from andromede_sdk.models.nodes import DrainGuest as DrainGuest
    from andromede_sdk.models.nodes import DrainPlan as DrainPlan
    from andromede_sdk.models.nodes import EvidenceAtHand as EvidenceAtHand
    from andromede_sdk.models.nodes import Fence as Fence
    from andromede_sdk.models.nodes import FenceEvidence as FenceEvidence
    from andromede_sdk.models.nodes import Fencing as Fencing
    from andromede_sdk.models.nodes import Inventory as Inventory
    from andromede_sdk.models.nodes import Node as Node
    from andromede_sdk.models.nodes import PlannedGuest as PlannedGuest
    from andromede_sdk.models.nodes import RecoveryPlan as RecoveryPlan
    from andromede_sdk.models.nodes import StorageFence as StorageFence
    from andromede_sdk.models.nodes import Trust as Trust
    from andromede_sdk.models.officer_keys import OfficerKey as OfficerKey
    from andromede_sdk.models.openid import Begun as Begun
    from andromede_sdk.models.openid_providers import Provider as Provider
    from andromede_sdk.models.openid_providers import Providers as Providers
    from andromede_sdk.models.operations import Operation as Operation
    from andromede_sdk.models.operations import Removal as Removal
    from andromede_sdk.models.operations import Resolution as Resolution
    from andromede_sdk.models.organizations import Organization as Organization
    from andromede_sdk.models.organizations import OrganizationLimit as OrganizationLimit
    from andromede_sdk.models.organizations import OrganizationLimits as OrganizationLimits
    from andromede_sdk.models.organizations import OrganizationWithPermissions as OrganizationWithPermissions
    from andromede_sdk.models.organizations import ProjectPart as ProjectPart
    from andromede_sdk.models.orphans import Orphan as Orphan
    from andromede_sdk.models.parties import Party as Party
    from andromede_sdk.models.passkeys import Passkey as Passkey
    from andromede_sdk.models.password_links import PasswordLink as PasswordLink
    from andromede_sdk.models.password_resets import PasswordReset as PasswordReset
    from andromede_sdk.models.password_resets import PasswordResetLink as PasswordResetLink
    from andromede_sdk.models.platform import Platform as Platform
    from andromede_sdk.models.policy import Broken as Broken
    from andromede_sdk.models.policy import ChangeInput as ChangeInput
    from andromede_sdk.models.policy import LostInput as LostInput
    from andromede_sdk.models.policy import LostZones as LostZones
    from andromede_sdk.models.policy import Policy as Policy
    from andromede_sdk.models.policy import Simulation as Simulation
    from andromede_sdk.models.pools import MissingNode as MissingNode
    from andromede_sdk.models.pools import Pool as Pool
    from andromede_sdk.models.pools import PooledVolume as PooledVolume
    from andromede_sdk.models.ports import AddressInput as AddressInput
    from andromede_sdk.models.ports import AllowedAddress as AllowedAddress
    from andromede_sdk.models.ports import AllowedAddressInput as AllowedAddressInput
    from andromede_sdk.models.ports import Bandwidth as Bandwidth
    from andromede_sdk.models.ports import BandwidthInput as BandwidthInput
    from andromede_sdk.models.ports import Port as Port
    from andromede_sdk.models.ports import PortAction as PortAction
    from andromede_sdk.models.ports import PortWithActions as PortWithActions
    from andromede_sdk.models.ports import PortWithOperation as PortWithOperation
    from andromede_sdk.models.problems import Problem as Problem
    from andromede_sdk.models.problems import ProblemPage as ProblemPage
    from andromede_sdk.models.projects import Project as Project
    from andromede_sdk.models.projects import ProjectWithPermissions as ProjectWithPermissions
    from andromede_sdk.models.public_address_uses import PublicAddressUse as PublicAddressUse
    from andromede_sdk.models.public_addresses import PublicAddress as PublicAddress
    from andromede_sdk.models.public_addresses import PublicAddressAction as PublicAddressAction
    from andromede_sdk.models.public_addresses import PublicAddressWithActions as PublicAddressWithActions
    from andromede_sdk.models.quota_requests import QuotaRequest as QuotaRequest
    from andromede_sdk.models.quotas import Quotas as Quotas
    from andromede_sdk.models.reachability import Reachability as Reachability
    from andromede_sdk.models.reachability import ReachabilityEnd as ReachabilityEnd
    from andromede_sdk.models.reachability import ReachabilityEndInput as ReachabilityEndInput
    from andromede_sdk.models.reachability import ReachabilityStep as ReachabilityStep
    from andromede_sdk.models.regions import Region as Region
    from andromede_sdk.models.remediation_plans import Owner as Owner
    from andromede_sdk.models.remediation_plans import Plan as Plan
    from andromede_sdk.models.remediation_plans import PlanAction as PlanAction
    from andromede_sdk.models.remediation_plans import PlanItem as PlanItem
    from andromede_sdk.models.remediation_plans import Target as Target
    from andromede_sdk.models.resources import Interval as Interval
    from andromede_sdk.models.resources import Lineage as Lineage
    from andromede_sdk.models.resources import Residency as Residency
    from andromede_sdk.models.resources import ResidencyProblem as ResidencyProblem
    from andromede_sdk.models.security_groups import AppliedRules as AppliedRules
    from andromede_sdk.models.security_groups import InstanceSecurityGroups as InstanceSecurityGroups
    from andromede_sdk.models.security_groups import PortSecurityGroups as PortSecurityGroups
    from andromede_sdk.models.security_groups import SecurityGroup as SecurityGroup
    from andromede_sdk.models.security_groups import SecurityGroupRule as SecurityGroupRule
    from andromede_sdk.models.service_accounts import GrantInput as GrantInput
    from andromede_sdk.models.service_accounts import ServiceAccount as ServiceAccount
    from andromede_sdk.models.sessions import Session as Session
    from andromede_sdk.models.sets import NamedSet as NamedSet
    from andromede_sdk.models.sign import Methods as Methods
    from andromede_sdk.models.snapshot_schedules import SnapshotSchedule as SnapshotSchedule
    from andromede_sdk.models.snapshots import Snapshot as Snapshot
    from andromede_sdk.models.snapshots import SnapshotAction as SnapshotAction
    from andromede_sdk.models.snapshots import SnapshotWithActions as SnapshotWithActions
    from andromede_sdk.models.snapshots import SnapshotWithOperation as SnapshotWithOperation
    from andromede_sdk.models.ssh_keys import SshKey as SshKey
    from andromede_sdk.models.storage_clusters import StorageCluster as StorageCluster
    from andromede_sdk.models.storage_clusters import StorageClusterIncident as StorageClusterIncident
    from andromede_sdk.models.storage_clusters import StorageClusterPool as StorageClusterPool
    from andromede_sdk.models.subnets import Subnet as Subnet
    from andromede_sdk.models.terraform import ProviderPackage as ProviderPackage
    from andromede_sdk.models.terraform import ProviderVersion as ProviderVersion
    from andromede_sdk.models.terraform import ProviderVersions as ProviderVersions
    from andromede_sdk.models.terraform import PublicKey as PublicKey
    from andromede_sdk.models.terraform import Services as Services
    from andromede_sdk.models.terraform import SigningKeys as SigningKeys
    from andromede_sdk.models.terraform_states import Lock as Lock
    from andromede_sdk.models.terraform_states import LockProblem as LockProblem
    from andromede_sdk.models.terraform_states import ProblemError as ProblemError
    from andromede_sdk.models.terraform_states import State as State
    from andromede_sdk.models.terraform_states import StateVersion as StateVersion
    from andromede_sdk.models.tokens import Token as Token
    from andromede_sdk.models.totp import Totp as Totp
    from andromede_sdk.models.transfers import Transfer as Transfer
    from andromede_sdk.models.transfers import Transfers as Transfers
    from andromede_sdk.models.users import Account as Account
    from andromede_sdk.models.users import AccountAction as AccountAction
    from andromede_sdk.models.users import AccountWithActions as AccountWithActions
    from andromede_sdk.models.users import User as User
    from andromede_sdk.models.volume_types import VolumeType as VolumeType
    from andromede_sdk.models.volumes import RetypePlan as RetypePlan
    from andromede_sdk.models.volumes import RevertPlan as RevertPlan
    from andromede_sdk.models.volumes import Volume as Volume
    from andromede_sdk.models.volumes import VolumeAction as VolumeAction
    from andromede_sdk.models.volumes import VolumeRelocationPlan as VolumeRelocationPlan
    from andromede_sdk.models.volumes import VolumeWithActions as VolumeWithActions
    from andromede_sdk.models.volumes import VolumeWithOperation as VolumeWithOperation
    from andromede_sdk.models.volumes import YoungerSnapshot as YoungerSnapshot
    from andromede_sdk.models.webhooks import Attempt as Attempt
    from andromede_sdk.models.webhooks import DeliveredEvent as DeliveredEvent
    from andromede_sdk.models.webhooks import Delivery as Delivery
    from andromede_sdk.models.webhooks import Webhook as Webhook
    from andromede_sdk.models.webhooks import WebhookWithSecret as WebhookWithSecret
    from andromede_sdk.models.zones import Capacity as Capacity
    from andromede_sdk.models.zones import Zone as Zone
    from andromede_sdk.models.zones import ZoneParty as ZoneParty

PLACES = {
    "Account": "andromede_sdk.models.users",
    "AccountAction": "andromede_sdk.models.users",
    "AccountWithActions": "andromede_sdk.models.users",
    "Action": "andromede_sdk.models.instances",
    "Address": "andromede_sdk.models.instances",
    "AddressInput": "andromede_sdk.models.ports",
    "AddressPool": "andromede_sdk.models.address_pools",
    "AddressPort": "andromede_sdk.models.instances",
    "AddressSet": "andromede_sdk.models.address_sets",
    "AffinityGroup": "andromede_sdk.models.affinity_groups",
    "AllowedAddress": "andromede_sdk.models.ports",
    "AllowedAddressInput": "andromede_sdk.models.ports",
    "Amounts": "andromede_sdk.models.nodes",
    "Announcer": "andromede_sdk.models.announcers",
    "AnnouncerIncident": "andromede_sdk.models.announcers",
    "AnnouncerSessions": "andromede_sdk.models.announcers",
    "AppliedRules": "andromede_sdk.models.security_groups",
    "Atom": "andromede_sdk.models.common",
    "Attachment": "andromede_sdk.models.attachments",
    "AttachmentWithOperation": "andromede_sdk.models.attachments",
    "Attempt": "andromede_sdk.models.webhooks",
    "Bandwidth": "andromede_sdk.models.ports",
    "BandwidthInput": "andromede_sdk.models.ports",
    "Begun": "andromede_sdk.models.openid",
    "Bmc": "andromede_sdk.models.nodes",
    "Broken": "andromede_sdk.models.policy",
    "Capacity": "andromede_sdk.models.zones",
    "Catalogue": "andromede_sdk.models.catalogue",
    "Challenge": "andromede_sdk.models.common",
    "ChangeInput": "andromede_sdk.models.policy",
    "Classification": "andromede_sdk.models.classifications",
    "Clause": "andromede_sdk.models.common",
    "Compliance": "andromede_sdk.models.common",
    "Condition": "andromede_sdk.models.common",
    "ConflictingAtom": "andromede_sdk.models.common",
    "Console": "andromede_sdk.models.instances",
    "Contradicted": "andromede_sdk.models.common",
    "CreatedBy": "andromede_sdk.models.common",
    "Credential": "andromede_sdk.models.me",
    "Decision": "andromede_sdk.models.decisions",
    "Deed": "andromede_sdk.models.common",
    "DeliveredEvent": "andromede_sdk.models.webhooks",
    "Delivery": "andromede_sdk.models.webhooks",
    "Drain": "andromede_sdk.models.drains",
    "DrainGuest": "andromede_sdk.models.nodes",
    "DrainPlan": "andromede_sdk.models.nodes",
    "DrainSummary": "andromede_sdk.models.drains",
    "Drifted": "andromede_sdk.models.common",
    "EgressAddress": "andromede_sdk.models.networks",
    "Entry": "andromede_sdk.models.evidence",
    "Error": "andromede_sdk.models.common",
    "Event": "andromede_sdk.models.events",
    "EventActor": "andromede_sdk.models.events",
    "EventResource": "andromede_sdk.models.events",
    "Events": "andromede_sdk.models.events",
    "EvidenceAtHand": "andromede_sdk.models.nodes",
    "ExemptedClause": "andromede_sdk.models.exemptions",
    "Exemption": "andromede_sdk.models.exemptions",
    "ExemptionApproval": "andromede_sdk.models.exemptions",
    "ExemptionReport": "andromede_sdk.models.exemptions",
    "Export": "andromede_sdk.models.evidence_exports",
    "Fact": "andromede_sdk.models.facts",
    "FactsStated": "andromede_sdk.models.facts",
    "Fence": "andromede_sdk.models.nodes",
    "FenceEvidence": "andromede_sdk.models.nodes",
    "Fencing": "andromede_sdk.models.nodes",
    "Flavor": "andromede_sdk.models.flavors",
    "Grant": "andromede_sdk.models.common",
    "GrantInput": "andromede_sdk.models.service_accounts",
    "Guest": "andromede_sdk.models.common",
    "Health": "andromede_sdk.models.health",
    "HeldPublicAddress": "andromede_sdk.models.common",
    "Identity": "andromede_sdk.models.identities",
    "Image": "andromede_sdk.models.images",
    "ImageSource": "andromede_sdk.models.images",
    "ImageWithOperation": "andromede_sdk.models.images",
    "Incident": "andromede_sdk.models.incidents",
    "IncidentOfNode": "andromede_sdk.models.incidents",
    "Instance": "andromede_sdk.models.instances",
    "InstanceSecurityGroups": "andromede_sdk.models.security_groups",
    "InstanceSnapshotsWithOperation": "andromede_sdk.models.instances",
    "InstanceWithActions": "andromede_sdk.models.instances",
    "InstanceWithOperation": "andromede_sdk.models.instances",
    "Interval": "andromede_sdk.models.resources",
    "Inventory": "andromede_sdk.models.nodes",
    "Invitation": "andromede_sdk.models.invitations",
    "InvitationWithToken": "andromede_sdk.models.invitations",
    "IoLimits": "andromede_sdk.models.common",
    "JsonWebKey": "andromede_sdk.models.jwks",
    "JsonWebKeySet": "andromede_sdk.models.jwks",
    "Jurisdiction": "andromede_sdk.models.jurisdictions",
    "Layer": "andromede_sdk.models.common",
    "Limit": "andromede_sdk.models.limits",
    "Limits": "andromede_sdk.models.limits",
    "Lineage": "andromede_sdk.models.resources",
    "Lint": "andromede_sdk.models.common",
    "Lock": "andromede_sdk.models.terraform_states",
    "LockProblem": "andromede_sdk.models.terraform_states",
    "LostInput": "andromede_sdk.models.policy",
    "LostZones": "andromede_sdk.models.policy",
    "Maintenance": "andromede_sdk.models.maintenance",
    "Me": "andromede_sdk.models.me",
    "Member": "andromede_sdk.models.members",
    "Membership": "andromede_sdk.models.me",
    "Methods": "andromede_sdk.models.sign",
    "Metrics": "andromede_sdk.models.common",
    "Migration": "andromede_sdk.models.instances",
    "MigrationPlan": "andromede_sdk.models.instances",
    "MissingNode": "andromede_sdk.models.pools",
    "Named": "andromede_sdk.models.common",
    "NamedSet": "andromede_sdk.models.sets",
    "Network": "andromede_sdk.models.networks",
    "Node": "andromede_sdk.models.nodes",
    "OfficerKey": "andromede_sdk.models.officer_keys",
    "Operation": "andromede_sdk.models.operations",
    "Organization": "andromede_sdk.models.organizations",
    "OrganizationLimit": "andromede_sdk.models.organizations",
    "OrganizationLimits": "andromede_sdk.models.organizations",
    "OrganizationWithPermissions": "andromede_sdk.models.organizations",
    "Orphan": "andromede_sdk.models.orphans",
    "Owner": "andromede_sdk.models.remediation_plans",
    "Part": "andromede_sdk.models.common",
    "Party": "andromede_sdk.models.parties",
    "Passkey": "andromede_sdk.models.passkeys",
    "PasskeyAnswerInput": "andromede_sdk.models.common",
    "PasswordLink": "andromede_sdk.models.password_links",
    "PasswordReset": "andromede_sdk.models.password_resets",
    "PasswordResetLink": "andromede_sdk.models.password_resets",
    "PlacementSimulation": "andromede_sdk.models.common",
    "Plan": "andromede_sdk.models.remediation_plans",
    "PlanAction": "andromede_sdk.models.remediation_plans",
    "PlanItem": "andromede_sdk.models.remediation_plans",
    "PlannedGuest": "andromede_sdk.models.nodes",
    "Platform": "andromede_sdk.models.platform",
    "PlatformOperation": "andromede_sdk.models.common",
    "Policy": "andromede_sdk.models.policy",
    "PolicyAction": "andromede_sdk.models.common",
    "PolicySet": "andromede_sdk.models.common",
    "Pool": "andromede_sdk.models.pools",
    "PooledVolume": "andromede_sdk.models.pools",
    "Port": "andromede_sdk.models.ports",
    "PortAction": "andromede_sdk.models.ports",
    "PortAddress": "andromede_sdk.models.common",
    "PortGroup": "andromede_sdk.models.common",
    "PortSecurityGroups": "andromede_sdk.models.security_groups",
    "PortWithActions": "andromede_sdk.models.ports",
    "PortWithOperation": "andromede_sdk.models.ports",
    "Problem": "andromede_sdk.models.problems",
    "ProblemError": "andromede_sdk.models.terraform_states",
    "ProblemPage": "andromede_sdk.models.problems",
    "Project": "andromede_sdk.models.projects",
    "ProjectPart": "andromede_sdk.models.organizations",
    "ProjectWithPermissions": "andromede_sdk.models.projects",
    "Proof": "andromede_sdk.models.evidence",
    "Proposal": "andromede_sdk.models.common",
    "Provider": "andromede_sdk.models.openid_providers",
    "ProviderPackage": "andromede_sdk.models.terraform",
    "ProviderVersion": "andromede_sdk.models.terraform",
    "ProviderVersions": "andromede_sdk.models.terraform",
    "Providers": "andromede_sdk.models.openid_providers",
    "PublicAddress": "andromede_sdk.models.public_addresses",
    "PublicAddressAction": "andromede_sdk.models.public_addresses",
    "PublicAddressUse": "andromede_sdk.models.public_address_uses",
    "PublicAddressWithActions": "andromede_sdk.models.public_addresses",
    "PublicKey": "andromede_sdk.models.terraform",
    "QuotaLimitsInput": "andromede_sdk.models.common",
    "QuotaRequest": "andromede_sdk.models.quota_requests",
    "Quotas": "andromede_sdk.models.quotas",
    "Reach": "andromede_sdk.models.jurisdictions",
    "Reachability": "andromede_sdk.models.reachability",
    "ReachabilityEnd": "andromede_sdk.models.reachability",
    "ReachabilityEndInput": "andromede_sdk.models.reachability",
    "ReachabilityStep": "andromede_sdk.models.reachability",
    "Record": "andromede_sdk.models.evidence",
    "RecoveryCodes": "andromede_sdk.models.common",
    "RecoveryPlan": "andromede_sdk.models.nodes",
    "Region": "andromede_sdk.models.regions",
    "RelocationPlan": "andromede_sdk.models.instances",
    "RelocationZone": "andromede_sdk.models.common",
    "Removal": "andromede_sdk.models.operations",
    "RequestRecord": "andromede_sdk.models.common",
    "Residency": "andromede_sdk.models.resources",
    "ResidencyProblem": "andromede_sdk.models.resources",
    "Resolution": "andromede_sdk.models.operations",
    "RetypePlan": "andromede_sdk.models.volumes",
    "RevertPlan": "andromede_sdk.models.volumes",
    "Scope": "andromede_sdk.models.me",
    "SecurityGroup": "andromede_sdk.models.security_groups",
    "SecurityGroupRule": "andromede_sdk.models.security_groups",
    "Series": "andromede_sdk.models.common",
    "ServiceAccount": "andromede_sdk.models.service_accounts",
    "Services": "andromede_sdk.models.terraform",
    "Session": "andromede_sdk.models.sessions",
    "SessionWithSecret": "andromede_sdk.models.common",
    "SignedFactInput": "andromede_sdk.models.facts",
    "SigningKeys": "andromede_sdk.models.terraform",
    "Simulation": "andromede_sdk.models.policy",
    "Snapshot": "andromede_sdk.models.snapshots",
    "SnapshotAction": "andromede_sdk.models.snapshots",
    "SnapshotSchedule": "andromede_sdk.models.snapshot_schedules",
    "SnapshotWithActions": "andromede_sdk.models.snapshots",
    "SnapshotWithOperation": "andromede_sdk.models.snapshots",
    "SshKey": "andromede_sdk.models.ssh_keys",
    "State": "andromede_sdk.models.terraform_states",
    "StateVersion": "andromede_sdk.models.terraform_states",
    "StaticRoute": "andromede_sdk.models.common",
    "StaticRouteInput": "andromede_sdk.models.common",
    "Step": "andromede_sdk.models.common",
    "StorageCluster": "andromede_sdk.models.storage_clusters",
    "StorageClusterIncident": "andromede_sdk.models.storage_clusters",
    "StorageClusterPool": "andromede_sdk.models.storage_clusters",
    "StorageFence": "andromede_sdk.models.nodes",
    "Subnet": "andromede_sdk.models.subnets",
    "SubnetSummary": "andromede_sdk.models.networks",
    "Target": "andromede_sdk.models.remediation_plans",
    "Token": "andromede_sdk.models.tokens",
    "TokenWithSecret": "andromede_sdk.models.common",
    "Topology": "andromede_sdk.models.networks",
    "TopologyInstance": "andromede_sdk.models.networks",
    "TopologyPort": "andromede_sdk.models.networks",
    "TopologyPublicAddress": "andromede_sdk.models.networks",
    "TopologySubnet": "andromede_sdk.models.networks",
    "Totp": "andromede_sdk.models.totp",
    "Transfer": "andromede_sdk.models.transfers",
    "Transfers": "andromede_sdk.models.transfers",
    "Trust": "andromede_sdk.models.nodes",
    "Try": "andromede_sdk.models.common",
    "Tunnel": "andromede_sdk.models.instances",
    "UsableAddressPool": "andromede_sdk.models.address_pools",
    "User": "andromede_sdk.models.users",
    "Volume": "andromede_sdk.models.volumes",
    "VolumeAction": "andromede_sdk.models.volumes",
    "VolumeRelocationPlan": "andromede_sdk.models.volumes",
    "VolumeType": "andromede_sdk.models.volume_types",
    "VolumeWithActions": "andromede_sdk.models.volumes",
    "VolumeWithOperation": "andromede_sdk.models.volumes",
    "Webhook": "andromede_sdk.models.webhooks",
    "WebhookWithSecret": "andromede_sdk.models.webhooks",
    "YoungerSnapshot": "andromede_sdk.models.volumes",
    "Zone": "andromede_sdk.models.zones",
    "ZoneParty": "andromede_sdk.models.zones",
}

if not TYPE_CHECKING:
    __getattr__ = loader(__name__, PLACES)


def __dir__() -> list[str]:
    return sorted(PLACES)
