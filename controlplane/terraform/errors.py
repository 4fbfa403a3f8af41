from collections.abc import Mapping
from typing import Any

from controlplane.kernel.errors import CloudError, Conflict, InvalidRequest, NotFound


class StateNotFound(NotFound):
    code = "terraform.state.not_found"
    detail = "There is no Terraform state {name!r} here."


class StateVersionNotFound(NotFound):
    code = "terraform.state.version_not_found"
    detail = "The Terraform state {name!r} has no version {number}: it does not exist, or is no longer stored."


class StateLocked(CloudError):
    """The state is locked.

    Terraform reads the holder of the lock from the response itself: its members are beside the problem's.
    """

    code = "terraform.state.locked"
    title = "Locked"
    detail = (
        "The Terraform state {name!r} is locked by {who}, for {operation}, since {since}. Wait until that run ends; "
        "if it was interrupted, `terraform force-unlock {lock_id}` removes its lock."
    )

    def __init__(self, lock: Mapping[str, Any], **facts: Any) -> None:
        self.members = dict(lock)
        super().__init__(**facts)


class StateNotLocked(Conflict):
    code = "terraform.state.not_locked"
    title = "Not locked"
    detail = "The Terraform state {name!r} is not locked. Lock it first, or write it without a lock ID."


class StateMalformed(InvalidRequest):
    code = "terraform.state.malformed"
    title = "Not a Terraform state"
    detail = "The body is not a Terraform state: {reason}"


class StatesExhausted(Conflict):
    code = "terraform.state.too_many"
    title = "Too many states"
    detail = "The project has the maximum of {limit} Terraform states. Delete those that are no longer needed."


class StateUnreadable(CloudError):
    code = "terraform.state.unreadable"
    title = "Unreadable"
    detail = (
        "The Terraform state {name!r} cannot be decrypted: the control plane's secret key was changed without keeping "
        "the earlier one. An operator must put the earlier key back."
    )


class ProviderNotFound(NotFound):
    code = "terraform.provider.not_found"
    detail = "This registry has no Terraform provider {name!r}."
