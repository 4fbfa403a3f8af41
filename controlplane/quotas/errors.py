from controlplane.kernel.errors import Conflict


class QuotaExceeded(Conflict):
    code = "quota_exceeded"
    title = "Quota exceeded"
    detail = (
        "The project may use {limit} {dimension}; {used} are used and {requested} more were asked for. "
        "Delete what is not needed or ask an operator for more."
    )
