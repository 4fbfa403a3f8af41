"""All pages that can be looked at, and by whom: what axe, the screenshots and the benchmark go through."""

from collections.abc import Mapping

# Who looks → addresses; written as World.address() reads them (scripts/dashboard_world.py).
TENANT = (
    "/",
    "/search?q=web",
    "@",
    "@/activity",
    "@/activity/{image-verify}",
    "@/activity/{instance-create}",
    "@/instances",
    "@/instances?name=nobody",
    "@/instances/{web-1}",
)
COMPUTE = (
    *("@/instances/create", "@/volumes", "@/volumes/create", "@/volumes/{data-1}", "@/volumes/{data-1}/placement"),
    *("@/volumes/{data-1}/activity", "@/volumes/{data-1}/settings", "@/volumes/{data-1}/grow"),
    *(
        f"@/instances/{{web-1}}/{tab}"
        for tab in ("metrics", "volumes", "network", "placement", "activity", "log", "settings")
    ),
    *("@/instances/{web-1}/resize", "@/instances/{web-1}/rebuild", "@/instances/{web-1}/delete"),
)
ACCOUNT = tuple(f"/account{page}" for page in ("", "/sign-in", "/password", "/sessions", "/tokens", "/tokens/new"))
ORGANIZATION = ("/organizations", "/organizations/sante") + tuple(
    f"/organizations/sante/{page}"
    for page in (
        "edit",
        "projects/new",
        "members",
        "invitations",
        "invitations/new",
        "service-accounts",
        "service-accounts/new",
        "tokens",
        "quota",
        "quota/new",
        "service-accounts/{ci}",
        "service-accounts/{ci}/rights/new",
        "audit",
        "audit/deeds",
    )
)
THINGS = tuple(
    f"@/{page}"
    for page in (
        "networks",
        "networks/new",
        "networks/{lan}",
        "networks/{lan}/delete",
        "networks?name=nobody",
        "ssh-keys",
        "ssh-keys/new",
        "ssh-keys/{laptop}",
        "affinity-groups",
        "affinity-groups/new",
        "affinity-groups/{replicas}",
        "images",
        "images/new",
        "images/{tiny}",
        "webhooks",
        "webhooks/new",
        "webhooks/{alertes}",
        "webhooks/{alertes}/rotate/end",
        "terraform-states",
        "tokens",
        "audit",
        "audit/deeds",
        "settings",
        "settings/quota",
    )
)
RULES = (
    "@/policy",
    "@/policy/edit",
    "@/remediation",
    "/policies",
    "/proposals",
    "/classifications",
    "/classifications/dr",
    "/new-classification",
    "/zones",
    "/zones/fr-est-1",
    "/zones/fr-est-1/what-if?number=FICTIF-SNC-4",
    "/parties",
    "/parties/op-alpha",
    "/sets",
    "/transparency/jurisdictions",
    "/transparency/transfers",
    "/residency",
    "/residency/{web-1}",
    "/residency/{web-1}/declassify",
    "/drift",
    "/drift/images",
    "/exemptions",
    "/new-exemption",
    "/officer-keys",
    "/evidence",
    "/evidence/new-export",
    "/evidence/growth",
)
OPERATION = (
    "/platform/nodes",
    "/platform/nodes?flavor=small",
    "/platform/nodes/dublin-a",
    "/platform/nodes/paris-a/cordon",
    "/platform/instances/{web-1}/move",
    "/platform/nodes/paris-a/drain",
    "/platform/nodes/paris-a/drain/new",
    "/platform/nodes/lille-a/drain/new?fallback=stop",
    "/platform/nodes/paris-a/recover",
    "/platform/nodes/paris-a/maintenance",
    "/platform/nodes/dublin-a/retire",
    "/platform/nodes/dublin-a/fence",
    "/platform/nodes/dublin-a/bmc",
    "/platform/nodes/virginia-a",
    "/platform/nodes/virginia-a/drain",
    "/platform/nodes/virginia-a/drain/new",
    "/platform/incidents",
    "/platform/quarantine",
    "/platform/quarantine?kind=address",
    "/platform/quarantine/{finding}",
    "/platform/quarantine/{finding}/discard",
    "/platform/quarantine/{finding}/release",
    "/platform/operations",
    "/platform/operations/{instance-create}/resolve",
    "/platform/maintenance",
    "/platform/maintenance/new",
    "/platform/organizations",
    "/platform/organizations/new",
    "/platform/organizations/sante",
    "/platform/organizations/sante/delete",
    "/organizations/sante/quota/edit",
    "/platform/audit",
    "/platform/audit/deeds",
    "/platform/offers",
    "/platform/policy",
    "/new-officer-key",
)
PAGES: Mapping[str, tuple[str, ...]] = {
    "": ("/sign-in", "/accessibility", "/nowhere", "/password?secret=a", "/invitation?token=a"),
    "ada": TENANT + COMPUTE + THINGS,
    "owner": ACCOUNT + ORGANIZATION,
    "officer": RULES,
    "operator": OPERATION,
}
