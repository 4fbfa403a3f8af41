"""Changes of named sets and classes of schemes: a new member loosens every policy that names the set.

Such a change therefore needs the same as a looser policy: a second person, and time for objections. The second officer
signs the same statement. A removal of members counts at once, and so does the first statement about a set: no policy
can name a set without statements.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from andromede_core.documents.parsing import as_rfc3339
from andromede_core.facts.catalogue import NAMED_SETS
from andromede_core.facts.statements import Statement
from controlplane.catalog.bitemporal import period, uncovered
from controlplane.catalog.errors import SetAgreementNeeded, SetWidenedTooSoon
from controlplane.catalog.models import Fact, OfficerKey


def first_addition(new: Statement, current: Iterable[Statement], *, now: datetime) -> datetime | None:
    """Return the first moment from now on at which `new` gives the set an additional member; None: never.

    The past loosens nothing: its record may be corrected.
    """
    begins, ends = period(new)
    if not isinstance(new.value, list) or ends <= now:
        return None
    members = _members(new)
    as_wide = [period(each) for each in current if isinstance(each.value, list) and members <= _members(each)]
    return next((moment for moment, _ in uncovered((max(begins, now), ends), as_wide)), None)


def _members(statement: Statement) -> frozenset[str]:
    return frozenset(map(str, statement.value)) if isinstance(statement.value, list) else frozenset()


def require_agreement(
    new: Statement, current: Collection[Statement], signers: Sequence[str], *, now: datetime, field: str
) -> None:
    """Require the agreement of a second officer.

    `signers`: the ids of the keys that signed the statement, all of them known.

    Raises:
        SetAgreementNeeded, SetWidenedTooSoon: it adds members to a set with earlier statements.
    """
    if new.subject_kind not in NAMED_SETS:
        return
    begins = first_addition(new, current, now=now)
    if begins is None or not Fact.objects.filter(subject_kind=new.subject_kind, subject_id=new.subject_id).exists():
        return
    if len(_accounts(signers)) < 2:
        raise SetAgreementNeeded(field=field, name=new.subject_id)
    earliest = now + timedelta(hours=settings.POLICY_COOLING_HOURS)
    if begins < earliest:
        raise SetWidenedTooSoon(
            field=f"{field}/p/valid_from",
            name=new.subject_id,
            begins=as_rfc3339(begins),
            hours=settings.POLICY_COOLING_HOURS,
        )


def _accounts(key_ids: Sequence[str]) -> set[UUID]:
    """Return the accounts of the keys: two keys of one person count once; a key without a known account does not
    count.
    """
    account_ids = OfficerKey.objects.filter(key_id__in=key_ids).values_list("user_id", flat=True)
    return {account for account in account_ids if account is not None}
