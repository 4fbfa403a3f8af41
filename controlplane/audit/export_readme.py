"""Readme of an export, in English and French."""

ENGLISH, FRENCH = "README.en.md", "README.fr.md"


def english(organization: str) -> bytes:
    return f"""# Evidence of {organization}

This archive shows where the data of {organization} was allowed to be, why, and what the nodes did, and lets you check
it without trusting whoever gave it to you.

    python3 verify.py THIS-ARCHIVE.tar --log-key KEY --root-key root.pub --witness KEY --witnesses 1

needs Python 3.11 or later and nothing else, no network either. Give the keys that you know from elsewhere: with none,
the verifier takes those in here, and shows that the archive is consistent, but not whose it is. Take verify.py from a
source that you trust, or read it: it is made of the modules of Andromède, unchanged.

| file | |
|---|---|
| `manifest.json` | of whom, from when to when, how many records, digests of all files; signed by the log |
| `records.ndjson` | the organization's records of that time, without a gap, between the one before and the one after |
| `earlier.ndjson` | records from before that these rest on: policies, permits, decisions |
| `later.ndjson` | records from after: what says that others were erased, and how far the log has come |
| `platform.ndjson` | facts, policies, nodes and keys of the whole cloud, from the first on |
| `checkpoints.ndjson` | what the log has signed of its Merkle tree (RFC 6962), with the signatures of witnesses |
| `verify.py` | the verifier |

The verifier checks that every record is in the log, unchanged and where it says; that none is missing between the
first and the last, and that the log went on after them; that what is blank was erased;
that facts, keys, permits and receipts are signed by who may sign them; that every decision
follows from the facts and policies of its time, by computing it again; that every permit follows from a decision and
would be taken by a node; that nodes acted under permits. It ends with status 0 when nothing speaks against the
archive, 1 when something does (each fault on a line, with the record), 2 when the file is not an export.

It cannot show that what officers stated is true, nor what a node did that bypassed its own software.
""".encode()


def french(organization: str) -> bytes:
    return f"""# Preuves de {organization}

Cette archive montre où les données de {organization} avaient le droit de se trouver, pourquoi, et ce que les nœuds
ont fait ; elle permet de le vérifier sans faire confiance à celui qui la remet.

    python3 verify.py CETTE-ARCHIVE.tar --log-key CLÉ --root-key root.pub --witness CLÉ --witnesses 1

demande Python 3.11 ou plus récent, rien d’autre, et pas de réseau. Donnez les clés que vous connaissez par ailleurs :
sans elles, le vérificateur prend celles de l’archive ; il montre alors qu’elle est cohérente, mais pas de qui elle
vient. Prenez verify.py d’une source sûre, ou lisez-le : il est fait des modules d’Andromède, inchangés.

| fichier | |
|---|---|
| `manifest.json` | de qui, de quand à quand, combien, empreintes des fichiers ; signé par le journal |
| `records.ndjson` | les enregistrements de l’organisation sur la période, sans trou, entre le précédent et le suivant |
| `earlier.ndjson` | ceux d’avant dont ils dépendent : politiques, permis, décisions |
| `later.ndjson` | ceux d’après qui disent ce qui fut effacé, et jusqu’où va le journal |
| `platform.ndjson` | les faits, politiques, nœuds et clés de tout le nuage, depuis le premier |
| `checkpoints.ndjson` | ce que le journal a signé de son arbre de Merkle (RFC 6962), avec les signatures des témoins |
| `verify.py` | le vérificateur |

Le vérificateur contrôle que chaque enregistrement est au journal, inchangé et à sa place ; qu’il n’en manque aucun
entre le premier et le dernier, et que le journal a continué après ; que ce qui est vide fut effacé ;
que faits, clés, permis et reçus sont signés par qui de droit ; que chaque décision
découle des faits et politiques de son moment, en la recalculant ; que chaque permis découle d’une décision et serait
accepté par un nœud ; que les nœuds ont agi sous permis. Il rend 0 quand rien ne s’oppose à l’archive, 1 sinon (une
ligne par faute, avec l’enregistrement en cause), 2 quand le fichier n’est pas une exportation.

Il ne peut pas montrer que les déclarations des responsables sont vraies, ni ce qu’un nœud a fait en contournant son
propre logiciel.
""".encode()
