"""What a decision says in words: one table, key → English and French.

Keys are reason codes (why), `verdict.` (what happened), `change.` (what would have helped) and `advice.` (what to do
when no single change is in the reader's hands). Sentences avoid plurals that depend on a number.
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
        "Les politiques se contredisent : aucun lieu ne pourra jamais les satisfaire toutes : {clauses}.",
    ),
    "NO_NODE": (
        "No node is enrolled in: {zones}.",
        "Aucun nœud n'est enrôlé dans : {zones}.",
    ),
    "ATTR_MISMATCH": (
        "Refused by policy ({clauses}): {zones}.",
        "Refus par politique ({clauses}) : {zones}.",
    ),
    "ATTR_UNKNOWN": (
        "Refused because needed facts are missing about: {zones}.",
        "Refus car des faits nécessaires manquent sur : {zones}.",
    ),
    "ZONE_NOT_ASKED": (
        "Not among the zones asked for: {zones}.",
        "Hors des zones demandées : {zones}.",
    ),
    "ZONE_CLOSED": (
        "Closed to new placements at the moment: {zones}.",
        "Fermé aux nouveaux placements en ce moment : {zones}.",
    ),
    "NODE_NOT_READY": (
        "Nodes that do not answer, in: {zones}.",
        "Nœuds qui ne répondent pas, dans : {zones}.",
    ),
    "NODE_CORDONED": (
        "Nodes kept free for maintenance, in: {zones}.",
        "Nœuds réservés pour maintenance, dans : {zones}.",
    ),
    "NODE_EXCLUDED": (
        "Nodes that this operation has to avoid, in: {zones}.",
        "Nœuds que cette opération doit éviter, dans : {zones}.",
    ),
    "TRAIT_MISSING": (
        "Nodes without a feature that is needed ({traits}), in: {zones}.",
        "Nœuds sans une fonction exigée ({traits}), dans : {zones}.",
    ),
    "NOT_NEAR": (
        "Nodes that do not hold all that it must be together with, in: {zones}.",
        "Nœuds qui n'hébergent pas tout ce qui doit rester ensemble, dans : {zones}.",
    ),
    "NOT_WITH_GROUP": (
        "Nodes without the other members of its affinity group, in: {zones}.",
        "Nœuds sans les autres membres du groupe d'affinité, dans : {zones}.",
    ),
    "NOT_APART_FROM_GROUP": (
        "Nodes that already carry a member of its anti-affinity group, in: {zones}.",
        "Nœuds qui portent déjà un membre du groupe d'anti-affinité, dans : {zones}.",
    ),
    "NO_CAPACITY": (
        "Nodes without room for {size}, in: {zones}.",
        "Nœuds sans place pour {size}, dans : {zones}.",
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
    "change.traits": (
        "Do without these features: {traits}.",
        "Renoncez à ces fonctions : {traits}.",
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
        "Several of these reasons would have to go together: ask for less, or ask your operator.",
        "Plusieurs de ces raisons devraient disparaître ensemble : demandez moins, ou voyez votre opérateur.",
    ),
    "advice.unsatisfiable": (
        "The owners of these clauses must agree on at least one place.",
        "Les propriétaires de ces clauses doivent s'accorder sur au moins un lieu.",
    ),
    "advice.maintenance": (
        "It would fit once maintenance or a repair is over: try again later.",
        "Le placement sera possible après une maintenance ou une réparation : réessayez plus tard.",
    ),
    "near_miss": (
        "Close: {name} ({zone}): {codes}{lacks}.",
        "Proche : {name} ({zone}) : {codes}{lacks}.",
    ),
    "lacks": (
        "; lacks {shortfall}",
        " ; manque {shortfall}",
    ),
}


def say(key: str, language: Language, **facts: object) -> str:
    english, french = SENTENCES[key]
    return (french if language == "fr" else english).format(**facts)
