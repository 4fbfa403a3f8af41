from controlplane.kernel.errors import Conflict, InvalidRequest, NotFound


class WebhookNotFound(NotFound):
    code = "webhook.not_found"
    detail = "There is no webhook {name!r} here."


class DeliveryNotFound(NotFound):
    code = "webhook.delivery.not_found"
    detail = "There is no delivery {name!r} here."


class WebhookNameTaken(Conflict):
    code = "webhook.name_taken"
    title = "Name taken"
    detail = "The project already has a webhook named {name!r}."


class WebhookUrlRefused(InvalidRequest):
    code = "webhook.url_refused"
    title = "URL refused"
    detail = "Webhooks cannot be sent to this URL: {reason}"


class UnknownKind(InvalidRequest):
    code = "webhook.unknown_kind"
    detail = "There is no event kind {kind!r}. Use an existing kind, all kinds of a noun (instance.*), or all (*)."


class WebhookDisabled(Conflict):
    code = "webhook.disabled"
    title = "Webhook disabled"
    detail = "The webhook is disabled. Enable it first: PATCH it with is_enabled true."
