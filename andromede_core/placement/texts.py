"""Texts of placement decisions: one table, key → English and French.

Keys are reason codes, `verdict.` (the result), `change.` (a relaxation), `remedy.` and `mend.` (the next step of a
tenant or an operator after a failed clause) and `advice.` (the next step when the reader can make no single change). No
text has a plural that depends on a number.
"""

from typing import Literal

Language = Literal["en", "fr"]

TEXTS: dict[str, tuple[str, str]] = {
    "verdict.admitted": (
        "The request can be placed in: {zones}.",
        "Le placement est possible dans : {zones}.",
    ),
    "verdict.no_capacity": (
        "No admitted node has enough free capacity at the moment.",
        "Aucun nœud admissible n'a assez de capacité libre en ce moment.",
    ),
    "verdict.inadmissible": (
        "No node is admitted, whatever the requested size.",
        "Aucun nœud n'est admissible, quelle que soit la taille demandée.",
    ),
    "verdict.unsatisfiable": (
        "The policies contradict each other: no zone can satisfy all these clauses: {clauses}.",
        "Les politiques se contredisent : aucune zone ne peut satisfaire toutes ces clauses : {clauses}.",
    ),
    "verdict.unsupported": (
        "No zone of this platform can satisfy these clauses: {clauses}.",
        "Aucune zone de cette plateforme ne peut satisfaire ces clauses : {clauses}.",
    ),
    "NO_NODE": (
        "There are no nodes in {zones}.",
        "Il n'y a aucun nœud dans {zones}.",
    ),
    "ZONE_UNKNOWN": (
        "No facts are recorded for {zones}.",
        "Aucun fait n'est enregistré pour {zones}.",
    ),
    "ATTR_MISMATCH": (
        "Refused by policy ({clauses}): {found}.",
        "Refusé par une politique ({clauses}) : {found}.",
    ),
    "ATTR_UNKNOWN": (
        "Refused: facts are missing, due for review or below the required assurance ({clauses}): {found}.",
        "Refusé : des faits manquent, sont à revoir ou n'ont pas l'assurance exigée ({clauses}) : {found}.",
    ),
    "NO_REFERENCE": (
        "Refused: the zone that a distance is measured from is not known ({clauses}).",
        "Refusé : la zone depuis laquelle une distance est mesurée n'est pas connue ({clauses}).",
    ),
    "THRESHOLD_EXCEEDED": (
        "Above the limit of a policy ({clauses}): {found}.",
        "Au-dessus de la limite d'une politique ({clauses}) : {found}.",
    ),
    "LEVEL_TOO_LOW": (
        "Below the level that a policy requires ({clauses}): {found}.",
        "En dessous du niveau qu'une politique exige ({clauses}) : {found}.",
    ),
    "TOO_CLOSE": (
        "Too close to the original ({clauses}): {found}.",
        "Trop près de l'original ({clauses}) : {found}.",
    ),
    "EVIDENCE_STALE": (
        "The last test is too old ({clauses}): {found}.",
        "Le dernier essai est trop ancien ({clauses}) : {found}.",
    ),
    "CERT_MISSING": (
        "Not certified ({clauses}): {found}.",
        "Certification absente ({clauses}) : {found}.",
    ),
    "CERT_VERSION": (
        "Certified for an older version than required ({clauses}): {found}.",
        "Certification pour une version antérieure à celle exigée ({clauses}) : {found}.",
    ),
    "CERT_LEVEL": (
        "Certified at another level than required ({clauses}): {found}.",
        "Certification à un autre niveau que celui exigé ({clauses}) : {found}.",
    ),
    "CERT_SCOPE": (
        "The certificate does not cover this kind of service ({clauses}): {found}.",
        "Le certificat ne couvre pas ce type de service ({clauses}) : {found}.",
    ),
    "CERT_NOT_YET_VALID": (
        "The certificate is not valid yet ({clauses}): {found}.",
        "Le certificat n'est pas encore valide ({clauses}) : {found}.",
    ),
    "CERT_EXPIRED": (
        "The certificate has expired ({clauses}): {found}.",
        "Le certificat a expiré ({clauses}) : {found}.",
    ),
    "CERT_SUSPENDED": (
        "The certificate is suspended ({clauses}): {found}.",
        "Le certificat est suspendu ({clauses}) : {found}.",
    ),
    "CERT_WITHDRAWN": (
        "The certificate was withdrawn ({clauses}): {found}.",
        "Le certificat a été retiré ({clauses}) : {found}.",
    ),
    "CERT_EXPIRING": (
        "The certificate expires sooner than a policy allows ({clauses}): {found}.",
        "Le certificat expire plus tôt qu'une politique ne l'admet ({clauses}) : {found}.",
    ),
    "claimed": (
        "Declared by the operator of each zone, not enforced by the platform: {clauses}.",
        "Déclaré par l'opérateur de chaque zone, non imposé par la plateforme : {clauses}.",
    ),
    "missed.security-groups": (
        "The nodes that can take it now have agents of an earlier release: no security group would filter its ports. "
        "A request that names security groups is refused instead.",
        "Les nœuds qui peuvent l'accueillir maintenant ont des agents d'une version antérieure : aucun groupe de "
        "sécurité ne filtrerait ses ports. Une demande qui nomme des groupes de sécurité est refusée à la place.",
    ),
    "NOT_SUPPORTED_CLASSIFIED": (
        "This platform cannot store classified information ({clauses}): {found}.",
        "Cette plateforme ne peut pas héberger d'informations classifiées ({clauses}) : {found}.",
    ),
    "ZONE_NOT_ASKED": (
        "Not among the requested zones: {zones}.",
        "Hors des zones demandées : {zones}.",
    ),
    "ADDRESS_ELSEWHERE": (
        "IPv6 addresses of its ports are routed to another zone than: {zones}.",
        "Des adresses IPv6 de ses ports sont routées vers une autre zone que : {zones}.",
    ),
    "MTU_TOO_LARGE": (
        "The underlay carries no packets as large as the MTU of its networks in: {zones}.",
        "Le réseau sous-jacent ne transporte pas de paquets de la taille du MTU de ses réseaux dans : {zones}.",
    ),
    "ZONE_CLOSED": (
        "Closed to new placements at the moment: {zones}.",
        "Pas de nouveau placement en ce moment dans {zones}.",
    ),
    "NODE_NOT_READY": (
        "Nodes in {zones} are not ready.",
        "Des nœuds de {zones} ne sont pas prêts.",
    ),
    "NODE_CORDONED": (
        "Nodes in {zones} are closed to new placements for maintenance.",
        "Des nœuds de {zones} sont exclus des nouveaux placements pour une maintenance.",
    ),
    "NODE_NOT_CLEARED": (
        "Nodes in {zones} are not cleared for data of these classifications.",
        "Des nœuds de {zones} ne sont pas habilités pour des données de ces classifications.",
    ),
    "NODE_UNATTESTED": (
        "Nodes in {zones} have no recent attestation of their state.",
        "Des nœuds de {zones} n'ont pas d'attestation récente de leur état.",
    ),
    "NOT_THE_HOST": (
        "Nodes in {zones} are not the requested node.",
        "Des nœuds de {zones} ne sont pas le nœud demandé.",
    ),
    "NODE_EXCLUDED": (
        "Nodes in {zones} are excluded by this operation.",
        "Des nœuds de {zones} sont exclus par cette opération.",
    ),
    "TRAIT_MISSING": (
        "Nodes in {zones} lack required features: {traits}.",
        "Il manque à des nœuds de {zones} des fonctions exigées : {traits}.",
    ),
    "POOL_MISSING": (
        "Nodes in {zones} do not mount the required shared storage: {pools}.",
        "Des nœuds de {zones} ne montent pas le stockage partagé exigé : {pools}.",
    ),
    "POOL_FULL": (
        "The shared storage {pools} has too little free space in {zones}.",
        "Le stockage partagé {pools} n'a pas assez d'espace libre dans {zones}.",
    ),
    "POOL_NEARLY_FULL": (
        "The shared storage {pools} is nearly full in {zones} and takes no new disks.",
        "Le stockage partagé {pools} est presque plein dans {zones} et n'accepte plus de nouveaux disques.",
    ),
    "NOT_NEAR": (
        "Nodes in {zones} do not hold the resources that must stay together with it.",
        "Des nœuds de {zones} n'hébergent pas les ressources qui doivent rester avec elle.",
    ),
    "NOT_WITH_GROUP": (
        "Nodes in {zones} do not run the other members of its affinity group.",
        "Des nœuds de {zones} n'exécutent pas les autres membres du groupe d'affinité.",
    ),
    "NOT_APART_FROM_GROUP": (
        "Nodes in {zones} already run a member of its anti-affinity group.",
        "Des nœuds de {zones} exécutent déjà un membre du groupe d'anti-affinité.",
    ),
    "NO_CAPACITY": (
        "Nodes in {zones} have too little free capacity for {size}.",
        "Des nœuds de {zones} n'ont pas assez de capacité libre pour {size}.",
    ),
    "size": (
        "{vcpus} vCPU, {memory_mib} MiB of memory, {disk_gib} GiB of disk",
        "{vcpus} vCPU, {memory_mib} Mio de mémoire, {disk_gib} Gio de disque",
    ),
    "change.policy": (
        "Only the policy clause {clauses} excludes: {zones}. The owner of the policy can relax it.",
        "Seule la clause {clauses} exclut : {zones}. Le propriétaire de cette politique peut l'assouplir.",
    ),
    "change.zone_asked": (
        "Request one of these zones instead: {zones}.",
        "Demandez plutôt l'une de ces zones : {zones}.",
    ),
    "change.routed": (
        "Without IPv6 addresses of a pool it can be placed in: {zones}. Use ports with IPv4 addresses only, or a "
        "subnet whose IPv6 range is from no pool.",
        "Sans adresse IPv6 d'un pool, le placement est possible dans : {zones}. Utilisez des ports à adresses IPv4 "
        "seulement, ou un sous-réseau dont la plage IPv6 ne vient pas d'un pool.",
    ),
    "change.host": (
        "Do not request a particular node: another node is possible.",
        "Ne demandez pas de nœud précis : un autre nœud est possible.",
    ),
    "change.traits": (
        "Do not request these features: {traits}.",
        "Ne demandez pas ces fonctions : {traits}.",
    ),
    "change.pool": (
        "Request a volume type that is not kept on this shared storage.",
        "Demandez un type de volume qui n'est pas sur ce stockage partagé.",
    ),
    "change.pool_room": (
        "Request a smaller disk or another volume type.",
        "Demandez un disque plus petit ou un autre type de volume.",
    ),
    "change.pool_nearly_full": (
        "Request another volume type.",
        "Demandez un autre type de volume.",
    ),
    "change.near": (
        "Placement is possible apart from the resources that must stay together with it: detach them first.",
        "Le placement est possible sans les ressources qui doivent rester ensemble : détachez-les d'abord.",
    ),
    "change.affinity": (
        "Leave the affinity group, or make its rule a preference.",
        "Quittez le groupe d'affinité, ou faites de sa règle une simple préférence.",
    ),
    "change.anti_affinity": (
        "Leave the anti-affinity group, or make its rule a preference.",
        "Quittez le groupe d'anti-affinité, ou faites de sa règle une simple préférence.",
    ),
    "change.size": (
        "This size fits now: {size}.",
        "Cette taille convient maintenant : {size}.",
    ),
    "change.zone_open": (
        "Open one of these zones: {zones}.",
        "Ouvrez l'une de ces zones : {zones}.",
    ),
    "change.cleared": (
        "Sign a charter that clears one of these nodes for these classifications: {nodes}.",
        "Signez une charte qui habilite l'un de ces nœuds pour ces classifications : {nodes}.",
    ),
    "change.attested": (
        "Restore the attestation of one of these nodes; its incidents show the cause: {nodes}.",
        "Rétablissez l'attestation de l'un de ces nœuds ; ses incidents en montrent la cause : {nodes}.",
    ),
    "change.ready": (
        "Restore one of these nodes: {nodes}.",
        "Remettez en service l'un de ces nœuds : {nodes}.",
    ),
    "change.cordon": (
        "Uncordon one of these nodes: {nodes}.",
        "Rouvrez aux placements l'un de ces nœuds : {nodes}.",
    ),
    "change.excluded": (
        "Only these nodes are possible, and the operation excludes them: {nodes}.",
        "Seuls ces nœuds sont possibles, et l'opération les exclut : {nodes}.",
    ),
    "advice.no_capacity": (
        "Try again later or ask your operator for more capacity.",
        "Réessayez plus tard ou demandez plus de capacité à votre opérateur.",
    ),
    "advice.inadmissible": (
        "No single change is enough: reduce the requirements or contact your operator.",
        "Aucun changement isolé ne suffit : réduisez les exigences ou contactez votre opérateur.",
    ),
    "advice.unsatisfiable": (
        "The owners of these clauses must agree on at least one zone.",
        "Les propriétaires de ces clauses doivent s'accorder sur au moins une zone.",
    ),
    "advice.maintenance": (
        "Placement is possible after the maintenance or repair: try again later.",
        "Le placement sera possible après la maintenance ou la réparation : réessayez plus tard.",
    ),
    "remedy.elsewhere": (
        "Waiting does not change these facts: choose another zone, or contact the owner of the clause.",
        "Attendre ne change pas ces faits : choisissez une autre zone, ou contactez le propriétaire de la clause.",
    ),
    "remedy.state": (
        "Ask the operator of the zone to record the missing facts; another zone may not be necessary.",
        "Demandez à l'opérateur de la zone d'enregistrer ces faits ; changer de zone n'est peut-être pas utile.",
    ),
    "mend.state": (
        "Record these facts with the required assurance, signed by a sovereignty officer.",
        "Enregistrez ces faits avec l'assurance exigée, signés par un responsable de souveraineté.",
    ),
    "remedy.reference": (
        "Request it as a copy of a resource whose zone is known, or contact the owner of the clause.",
        "Demandez-la comme copie d'une ressource dont la zone est connue, ou contactez le propriétaire de la clause.",
    ),
    "remedy.farther": (
        "Choose a zone that is farther away.",
        "Choisissez une zone plus éloignée.",
    ),
    "remedy.test": (
        "Ask the operator of the zone to repeat the test and to record its date.",
        "Demandez à l'opérateur de la zone de refaire l'essai et d'en enregistrer la date.",
    ),
    "mend.test": (
        "Repeat the test and record its date.",
        "Refaites l'essai et enregistrez-en la date.",
    ),
    "remedy.certified": (
        "Choose a zone that has the certificate; only the issuer can certify another zone.",
        "Choisissez une zone certifiée ; seul l'émetteur peut en certifier une autre.",
    ),
    "remedy.wait": (
        "Wait until the certificate is valid, or choose another zone.",
        "Attendez le début de validité du certificat, ou choisissez une autre zone.",
    ),
    "remedy.renew": (
        "Ask the operator of the zone for the renewed certificate, or choose another zone.",
        "Demandez à l'opérateur de la zone le certificat renouvelé, ou choisissez une autre zone.",
    ),
    "mend.renew": (
        "Have the certificate renewed and record the new one.",
        "Faites renouveler le certificat et enregistrez le nouveau.",
    ),
    "remedy.suspended": (
        "Only the issuer can lift the suspension: choose another zone until then.",
        "Seul l'émetteur peut lever la suspension : choisissez une autre zone en attendant.",
    ),
    "remedy.withdrawn": (
        "The withdrawal is final: choose another zone.",
        "Le retrait est définitif : choisissez une autre zone.",
    ),
    "remedy.margin": (
        "The certificate is still valid: ask for its renewal, or ask the owner of the clause for a shorter margin.",
        "Demandez le renouvellement du certificat, ou une marge plus courte au propriétaire de la clause.",
    ),
    "remedy.classified": (
        "No setting changes this: classified information requires an accredited system.",
        "Aucun réglage n'y change rien : les informations classifiées exigent un système homologué.",
    ),
    "near_miss": (
        "Nearly admitted: {name} ({zone}): {codes}{lacks}.",
        "Presque admissible : {name} ({zone}) : {codes}{lacks}.",
    ),
    "until": (
        ", until ",
        ", jusqu'au ",
    ),
    "lacks": (
        "; lacks {shortfall}",
        " ; il manque {shortfall}",
    ),
}


NO_REFERENCE = "NO_REFERENCE"  # instead of ATTR_UNKNOWN where the zone to measure from is missing, and no fact

# Remedies for a clause that does not hold. `mend.` is there where an operator has another remedy.
REMEDIES: dict[str, str] = {
    "ATTR_MISMATCH": "elsewhere",
    "THRESHOLD_EXCEEDED": "elsewhere",
    "LEVEL_TOO_LOW": "elsewhere",
    "ATTR_UNKNOWN": "state",
    "TOO_CLOSE": "farther",
    "EVIDENCE_STALE": "test",
    "CERT_MISSING": "certified",
    "CERT_VERSION": "certified",
    "CERT_LEVEL": "certified",
    "CERT_SCOPE": "certified",
    "CERT_NOT_YET_VALID": "wait",
    "CERT_EXPIRED": "renew",
    "CERT_SUSPENDED": "suspended",
    "CERT_WITHDRAWN": "withdrawn",
    "CERT_EXPIRING": "margin",
    "NOT_SUPPORTED_CLASSIFIED": "classified",
}


def remedy(code: str, *, is_operator: bool) -> str | None:
    """Return the key of the remedy for a reason."""
    name = "reference" if code == NO_REFERENCE else REMEDIES.get(code)
    if name is None:
        return None
    return f"mend.{name}" if is_operator and f"mend.{name}" in TEXTS else f"remedy.{name}"


def render(key: str, language: Language, **facts: object) -> str:
    """Return the text of a key. A reason from a foreign document that is not in the table is shown as it is."""
    english, french = TEXTS.get(key, (f"{key}.", f"{key}."))
    words = (french if language == "fr" else english).format(**facts)
    return words.replace("….", "…")
