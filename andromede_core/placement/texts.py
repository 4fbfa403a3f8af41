"""Texts of decisions: one table, key → English and French.

Keys are reason codes (why), `verdict.` (what happened), `change.` (what would have helped), `remedy.` and `mend.` (what
a tenant or an operator can do about a clause that does not hold) and `advice.` (what to do when no single change is in
the reader's hands). Sentences avoid plurals that depend on a number.
"""

from typing import Literal

Language = Literal["en", "fr"]

SENTENCES: dict[str, tuple[str, str]] = {
    "verdict.admitted": (
        "It can be placed in: {zones}.",
        "Le placement est possible dans : {zones}.",
    ),
    "verdict.no_capacity": (
        "Every node that may take it lacks room at the moment.",
        "Tous les nœuds admissibles manquent de place en ce moment.",
    ),
    "verdict.inadmissible": (
        "No node may take it, whatever its size.",
        "Aucun nœud n'est admissible, quelle que soit la taille demandée.",
    ),
    "verdict.unsatisfiable": (
        "The policies contradict each other, so that no place can ever satisfy them all: {clauses}.",
        "Les politiques se contredisent, si bien qu'aucun lieu ne pourra jamais les satisfaire toutes : {clauses}.",
    ),
    "verdict.unsupported": (
        "No place here may ever hold it: {clauses}.",
        "Aucun lieu ne pourra jamais l'héberger ici : {clauses}.",
    ),
    "NO_NODE": (
        "There are no nodes in {zones}.",
        "Il n'y a aucun nœud dans {zones}.",
    ),
    "ZONE_UNKNOWN": (
        "Nothing is known of {zones}.",
        "On ne sait rien de {zones}.",
    ),
    "ATTR_MISMATCH": (
        "Refused by policy ({clauses}): {found}.",
        "Refusé par une politique ({clauses}) : {found}.",
    ),
    "ATTR_UNKNOWN": (
        "Refused because needed facts are missing, overdue or too weakly attested ({clauses}): {found}.",
        "Refusé, car des faits nécessaires manquent, sont à revoir ou trop faiblement attestés ({clauses}) : {found}.",
    ),
    "NO_REFERENCE": (
        "Refused because nothing says which zone a distance is measured from ({clauses}).",
        "Refus car rien ne dit depuis quelle zone une distance est mesurée ({clauses}).",
    ),
    "THRESHOLD_EXCEEDED": (
        "Above what a policy allows ({clauses}): {found}.",
        "Au-dessus de ce qu'une politique autorise ({clauses}) : {found}.",
    ),
    "LEVEL_TOO_LOW": (
        "Below what a policy demands ({clauses}): {found}.",
        "En dessous de ce qu'une politique exige ({clauses}) : {found}.",
    ),
    "TOO_CLOSE": (
        "Too close to the original ({clauses}): {found}.",
        "Trop près de l'original ({clauses}) : {found}.",
    ),
    "EVIDENCE_STALE": (
        "Tested too long ago ({clauses}): {found}.",
        "Dernier essai trop ancien ({clauses}) : {found}.",
    ),
    "CERT_MISSING": (
        "Not certified ({clauses}): {found}.",
        "Certification absente ({clauses}) : {found}.",
    ),
    "CERT_VERSION": (
        "Certified for an older version than demanded ({clauses}): {found}.",
        "Certification pour une version antérieure à celle exigée ({clauses}) : {found}.",
    ),
    "CERT_LEVEL": (
        "Certified at another level than demanded ({clauses}): {found}.",
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
        "The certificate ends sooner than a policy allows ({clauses}): {found}.",
        "Le certificat prend fin plus tôt qu'une politique ne l'admet ({clauses}) : {found}.",
    ),
    "claimed": (
        "Claimed by the operator of each zone, not enforced by the platform: {clauses}.",
        "Affirmé par l'opérateur de chaque zone, non imposé par la plateforme : {clauses}.",
    ),
    "NOT_SUPPORTED_CLASSIFIED": (
        "Classified information cannot be held here ({clauses}): {found}.",
        "Les informations classifiées ne peuvent pas être hébergées ici ({clauses}) : {found}.",
    ),
    "ZONE_NOT_ASKED": (
        "Not among the zones asked for: {zones}.",
        "Hors des zones demandées : {zones}.",
    ),
    "ZONE_CLOSED": (
        "Closed to new placements at the moment: {zones}.",
        "Pas de nouveau placement en ce moment dans {zones}.",
    ),
    "NODE_NOT_READY": (
        "Nodes in {zones} do not answer.",
        "Des nœuds de {zones} ne répondent pas.",
    ),
    "NODE_CORDONED": (
        "Nodes in {zones} are kept free for maintenance.",
        "Des nœuds de {zones} sont réservés pour une maintenance.",
    ),
    "NODE_NOT_CLEARED": (
        "Nodes in {zones} are not cleared for data of these classifications.",
        "Des nœuds de {zones} ne sont pas habilités pour des données de ces classifications.",
    ),
    "NODE_UNATTESTED": (
        "Nodes in {zones} have not attested their state recently enough.",
        "Des nœuds de {zones} n'ont pas attesté leur état assez récemment.",
    ),
    "NOT_THE_HOST": (
        "Nodes in {zones} are not the one that was asked for.",
        "Des nœuds de {zones} ne sont pas celui qui a été demandé.",
    ),
    "NODE_EXCLUDED": (
        "Nodes in {zones} have to be avoided by this operation.",
        "Des nœuds de {zones} sont à éviter pour cette opération.",
    ),
    "TRAIT_MISSING": (
        "Nodes in {zones} lack some of the features that are needed: {traits}.",
        "Il manque à des nœuds de {zones} une partie des fonctions exigées : {traits}.",
    ),
    "POOL_MISSING": (
        "Nodes in {zones} do not have the shared storage that it needs: {pools}.",
        "Des nœuds de {zones} n'ont pas le stockage partagé exigé : {pools}.",
    ),
    "POOL_FULL": (
        "The shared storage {pools} has too little room left in {zones}.",
        "Le stockage partagé {pools} n'a plus assez de place dans {zones}.",
    ),
    "NOT_NEAR": (
        "Nodes in {zones} do not hold all that it must be together with.",
        "Des nœuds de {zones} n'hébergent pas tout ce qui doit rester ensemble.",
    ),
    "NOT_WITH_GROUP": (
        "Nodes in {zones} do not carry the other members of its affinity group.",
        "Des nœuds de {zones} ne portent pas les autres membres du groupe d'affinité.",
    ),
    "NOT_APART_FROM_GROUP": (
        "Nodes in {zones} already carry a member of its anti-affinity group.",
        "Des nœuds de {zones} portent déjà un membre du groupe d'anti-affinité.",
    ),
    "NO_CAPACITY": (
        "Nodes in {zones} have no room for {size}.",
        "Des nœuds de {zones} n'ont pas de place pour {size}.",
    ),
    "size": (
        "{vcpus} vCPU, {memory_mib} MiB of memory, {disk_gib} GiB of disk",
        "{vcpus} vCPU, {memory_mib} Mio de mémoire, {disk_gib} Gio de disque",
    ),
    "change.policy": (
        "Only the policy clause {clauses} stands in the way of: {zones}. Its owner can widen it.",
        "Seule la clause {clauses} s'oppose à : {zones}. Le propriétaire de cette politique peut l'élargir.",
    ),
    "change.zone_asked": (
        "Ask for one of these zones instead: {zones}.",
        "Demandez plutôt l'une de ces zones : {zones}.",
    ),
    "change.host": (
        "Ask for no particular node: another one would do.",
        "Ne demandez pas de nœud précis : un autre conviendrait.",
    ),
    "change.traits": (
        "Do without these features: {traits}.",
        "Renoncez à ces fonctions : {traits}.",
    ),
    "change.pool": (
        "Ask for a type of disk that is not kept on that shared storage.",
        "Demandez un type de disque qui n'est pas gardé sur ce stockage partagé.",
    ),
    "change.pool_room": (
        "Ask for a smaller disk, or for one of another type.",
        "Demandez un disque plus petit, ou d'un autre type.",
    ),
    "change.near": (
        "It could be placed apart from what it must be together with: detach that first.",
        "Le placement serait possible séparément : détachez d'abord ce qui doit rester ensemble.",
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
        "This size would fit now: {size}.",
        "Cette taille conviendrait maintenant : {size}.",
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
        "Have one of these nodes attest itself again; its incidents say what is wrong: {nodes}.",
        "Faites à nouveau attester l'un de ces nœuds ; ses incidents disent ce qui ne va pas : {nodes}.",
    ),
    "change.ready": (
        "Bring one of these nodes back: {nodes}.",
        "Remettez en service l'un de ces nœuds : {nodes}.",
    ),
    "change.cordon": (
        "Uncordon one of these nodes: {nodes}.",
        "Rouvrez aux placements l'un de ces nœuds : {nodes}.",
    ),
    "change.excluded": (
        "Only these nodes, which the operation avoids, would do: {nodes}.",
        "Seuls ces nœuds, que l'opération évite, conviendraient : {nodes}.",
    ),
    "advice.no_capacity": (
        "Try again later or ask your operator for more room.",
        "Réessayez plus tard ou demandez plus de place à votre opérateur.",
    ),
    "advice.inadmissible": (
        "Several of these reasons would have to go away at once: ask for less, or ask your operator.",
        "Plusieurs de ces raisons devraient disparaître à la fois : demandez moins, ou consultez votre opérateur.",
    ),
    "advice.unsatisfiable": (
        "The owners of these clauses must agree on at least one place.",
        "Les propriétaires de ces clauses doivent s'accorder sur au moins un lieu.",
    ),
    "advice.maintenance": (
        "It would fit once maintenance or a repair is over: try again later.",
        "Le placement sera possible après une maintenance ou une réparation : réessayez plus tard.",
    ),
    "remedy.elsewhere": (
        "Waiting does not change what these zones are: choose another zone, or ask the owner of the clause.",
        "Attendre n'y change rien : choisissez une autre zone, ou consultez le propriétaire de la clause.",
    ),
    "remedy.state": (
        "Ask the operator of the zone to state what is not known; moving elsewhere may not be necessary.",
        "Demandez à l'opérateur de la zone de déclarer ce qui est inconnu ; changer de zone n'est peut-être pas utile.",
    ),
    "mend.state": (
        "State what is missing or overdue, attested as the clause demands and signed by a sovereignty officer.",
        "Déclarez ce qui manque ou est à revoir, attesté comme exigé et signé par un responsable de souveraineté.",
    ),
    "remedy.reference": (
        "Ask for it as a copy of something whose zone is known, or ask the owner of the clause.",
        "Demandez-le comme copie de quelque chose dont la zone est connue, ou voyez le propriétaire de la clause.",
    ),
    "remedy.farther": (
        "Choose a zone that is farther away.",
        "Choisissez une zone plus éloignée.",
    ),
    "remedy.test": (
        "Ask the operator of the zone to repeat the test and to state its date.",
        "Demandez à l'opérateur de la zone de refaire l'essai et d'en déclarer la date.",
    ),
    "mend.test": (
        "Repeat the test and state its date.",
        "Refaites l'essai et déclarez-en la date.",
    ),
    "remedy.certified": (
        "Choose a zone that holds the certificate; its issuer alone can grant it to another.",
        "Choisissez une zone qui détient le certificat ; seul son émetteur peut l'accorder à une autre.",
    ),
    "remedy.wait": (
        "Wait until the certificate begins, or choose another zone.",
        "Attendez le début de validité du certificat, ou choisissez une autre zone.",
    ),
    "remedy.renew": (
        "Ask the operator of the zone for the renewed certificate, or choose another zone.",
        "Demandez à l'opérateur de la zone le certificat renouvelé, ou choisissez une autre zone.",
    ),
    "mend.renew": (
        "Have the certificate renewed and state the new one.",
        "Faites renouveler le certificat et déclarez le nouveau.",
    ),
    "remedy.suspended": (
        "Only the issuer can lift the suspension; until it is stated, choose another zone.",
        "Seul l'émetteur peut lever la suspension ; d'ici là, choisissez une autre zone.",
    ),
    "remedy.withdrawn": (
        "The certificate will not come back: choose another zone.",
        "Le certificat ne reviendra pas : choisissez une autre zone.",
    ),
    "remedy.margin": (
        "It is still valid: ask for its renewal, or the owner of the clause for a shorter margin.",
        "Il est encore valide : demandez son renouvellement, ou une marge plus courte au propriétaire de la clause.",
    ),
    "remedy.classified": (
        "No setting changes this: such information needs a system that is accredited for it.",
        "Aucun réglage n'y change rien : ces informations exigent un système homologué pour elles.",
    ),
    "near_miss": (
        "Close: {name} ({zone}): {codes}{lacks}.",
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
    return f"mend.{name}" if is_operator and f"mend.{name}" in SENTENCES else f"remedy.{name}"


def render(key: str, language: Language, **facts: object) -> str:
    """Return the text of a key. A reason from a foreign document that is not in the table is shown as it is."""
    english, french = SENTENCES.get(key, (f"{key}.", f"{key}."))
    words = (french if language == "fr" else english).format(**facts)
    return words.replace("….", "…")
