# Made from docs/reference/openapi.json by `make clients`.
"""The managers: a module for each, which is loaded when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from andromede_sdk.lazy_imports import loader

if TYPE_CHECKING:
    from andromede_sdk.resource import Scope
    from andromede_sdk.resources.address_pools import AddressPools as AddressPools
    from andromede_sdk.resources.address_sets import AddressSets as AddressSets
    from andromede_sdk.resources.affinity_groups import AffinityGroups as AffinityGroups
    from andromede_sdk.resources.announcers import Announcers as Announcers
    from andromede_sdk.resources.attachments import Attachments as Attachments
    from andromede_sdk.resources.audit import Audit as Audit
    from andromede_sdk.resources.catalogue import Catalogue as Catalogue
    from andromede_sdk.resources.classifications import Classifications as Classifications
    from andromede_sdk.resources.decisions import Decisions as Decisions
    from andromede_sdk.resources.declassifications import Declassifications as Declassifications
    from andromede_sdk.resources.drains import Drains as Drains
    from andromede_sdk.resources.drift import Drift as Drift
    from andromede_sdk.resources.events import Events as Events
    from andromede_sdk.resources.evidence import Evidence as Evidence
    from andromede_sdk.resources.evidence_exports import EvidenceExports as EvidenceExports
    from andromede_sdk.resources.exemptions import Exemptions as Exemptions
    from andromede_sdk.resources.facts import Facts as Facts
    from andromede_sdk.resources.flavors import Flavors as Flavors
    from andromede_sdk.resources.health import Health as Health
    from andromede_sdk.resources.identities import Identities as Identities
    from andromede_sdk.resources.images import Images as Images
    from andromede_sdk.resources.incidents import Incidents as Incidents
    from andromede_sdk.resources.instances import Instances as Instances
    from andromede_sdk.resources.invitations import Invitations as Invitations
    from andromede_sdk.resources.jurisdictions import Jurisdictions as Jurisdictions
    from andromede_sdk.resources.jwks import Jwks as Jwks
    from andromede_sdk.resources.limits import Limits as Limits
    from andromede_sdk.resources.maintenance import Maintenance as Maintenance
    from andromede_sdk.resources.me import Me as Me
    from andromede_sdk.resources.members import Members as Members
    from andromede_sdk.resources.networks import Networks as Networks
    from andromede_sdk.resources.nodes import Nodes as Nodes
    from andromede_sdk.resources.officer_keys import OfficerKeys as OfficerKeys
    from andromede_sdk.resources.openapi import Openapi as Openapi
    from andromede_sdk.resources.openid import Openid as Openid
    from andromede_sdk.resources.openid_providers import OpenidProviders as OpenidProviders
    from andromede_sdk.resources.operations import Operations as Operations
    from andromede_sdk.resources.organizations import Organizations as Organizations
    from andromede_sdk.resources.orphans import Orphans as Orphans
    from andromede_sdk.resources.own import Own as Own
    from andromede_sdk.resources.parties import Parties as Parties
    from andromede_sdk.resources.passkey import Passkey as Passkey
    from andromede_sdk.resources.passkey_sessions import PasskeySessions as PasskeySessions
    from andromede_sdk.resources.passkeys import Passkeys as Passkeys
    from andromede_sdk.resources.password import Password as Password
    from andromede_sdk.resources.password_links import PasswordLinks as PasswordLinks
    from andromede_sdk.resources.password_resets import PasswordResets as PasswordResets
    from andromede_sdk.resources.placement import Placement as Placement
    from andromede_sdk.resources.platform import Platform as Platform
    from andromede_sdk.resources.policy import Policy as Policy
    from andromede_sdk.resources.policy_proposals import PolicyProposals as PolicyProposals
    from andromede_sdk.resources.pools import Pools as Pools
    from andromede_sdk.resources.ports import Ports as Ports
    from andromede_sdk.resources.problems import Problems as Problems
    from andromede_sdk.resources.projects import Projects as Projects
    from andromede_sdk.resources.public_address_uses import PublicAddressUses as PublicAddressUses
    from andromede_sdk.resources.public_addresses import PublicAddresses as PublicAddresses
    from andromede_sdk.resources.quota_requests import QuotaRequests as QuotaRequests
    from andromede_sdk.resources.quotas import Quotas as Quotas
    from andromede_sdk.resources.reachability import Reachability as Reachability
    from andromede_sdk.resources.recovery import Recovery as Recovery
    from andromede_sdk.resources.regions import Regions as Regions
    from andromede_sdk.resources.remediation_plans import RemediationPlans as RemediationPlans
    from andromede_sdk.resources.resources import Resources as Resources
    from andromede_sdk.resources.security_groups import SecurityGroups as SecurityGroups
    from andromede_sdk.resources.service_accounts import ServiceAccounts as ServiceAccounts
    from andromede_sdk.resources.sessions import Sessions as Sessions
    from andromede_sdk.resources.sets import Sets as Sets
    from andromede_sdk.resources.sign import Sign as Sign
    from andromede_sdk.resources.snapshot_schedules import SnapshotSchedules as SnapshotSchedules
    from andromede_sdk.resources.snapshots import Snapshots as Snapshots
    from andromede_sdk.resources.ssh_keys import SshKeys as SshKeys
    from andromede_sdk.resources.storage_clusters import StorageClusters as StorageClusters
    from andromede_sdk.resources.subnets import Subnets as Subnets
    from andromede_sdk.resources.terraform import Terraform as Terraform
    from andromede_sdk.resources.terraform_states import TerraformStates as TerraformStates
    from andromede_sdk.resources.tokens import Tokens as Tokens
    from andromede_sdk.resources.totp import Totp as Totp
    from andromede_sdk.resources.transfers import Transfers as Transfers
    from andromede_sdk.resources.users import Users as Users
    from andromede_sdk.resources.volume_types import VolumeTypes as VolumeTypes
    from andromede_sdk.resources.volumes import Volumes as Volumes
    from andromede_sdk.resources.webhooks import Webhooks as Webhooks
    from andromede_sdk.resources.zones import Zones as Zones


class Managers:
    """All managers, for one control plane and project."""

    address_pools: AddressPools
    address_sets: AddressSets
    affinity_groups: AffinityGroups
    announcers: Announcers
    attachments: Attachments
    audit: Audit
    catalogue: Catalogue
    classifications: Classifications
    decisions: Decisions
    declassifications: Declassifications
    drains: Drains
    drift: Drift
    events: Events
    evidence: Evidence
    evidence_exports: EvidenceExports
    exemptions: Exemptions
    facts: Facts
    flavors: Flavors
    health: Health
    identities: Identities
    images: Images
    incidents: Incidents
    instances: Instances
    invitations: Invitations
    jurisdictions: Jurisdictions
    jwks: Jwks
    limits: Limits
    maintenance: Maintenance
    me: Me
    members: Members
    networks: Networks
    nodes: Nodes
    officer_keys: OfficerKeys
    openapi: Openapi
    openid: Openid
    openid_providers: OpenidProviders
    operations: Operations
    organizations: Organizations
    orphans: Orphans
    own: Own
    parties: Parties
    passkey: Passkey
    passkey_sessions: PasskeySessions
    passkeys: Passkeys
    password: Password
    password_links: PasswordLinks
    password_resets: PasswordResets
    placement: Placement
    platform: Platform
    policy: Policy
    policy_proposals: PolicyProposals
    pools: Pools
    ports: Ports
    problems: Problems
    projects: Projects
    public_address_uses: PublicAddressUses
    public_addresses: PublicAddresses
    quota_requests: QuotaRequests
    quotas: Quotas
    reachability: Reachability
    recovery: Recovery
    regions: Regions
    remediation_plans: RemediationPlans
    resources: Resources
    security_groups: SecurityGroups
    service_accounts: ServiceAccounts
    sessions: Sessions
    sets: Sets
    sign: Sign
    snapshot_schedules: SnapshotSchedules
    snapshots: Snapshots
    ssh_keys: SshKeys
    storage_clusters: StorageClusters
    subnets: Subnets
    terraform: Terraform
    terraform_states: TerraformStates
    tokens: Tokens
    totp: Totp
    transfers: Transfers
    users: Users
    volume_types: VolumeTypes
    volumes: Volumes
    webhooks: Webhooks
    zones: Zones

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            if name not in Managers.__annotations__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            made = load(Managers.__annotations__[name])(self.scope)
            setattr(self, name, made)
            return made

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *Managers.__annotations__]


PLACES = {kind: f"{__name__}.{name}" for name, kind in Managers.__annotations__.items()}
load = loader(__name__, PLACES)

if not TYPE_CHECKING:
    __getattr__ = load
