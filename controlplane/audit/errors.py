from controlplane.kernel.errors import Conflict, InvalidRequest, NotFound, Unavailable, Unprocessable


class RecordNotFound(NotFound):
    code = "evidence.record.not_found"
    detail = "There is no evidence record {name!r} here."


class NotSequenced(Conflict):
    code = "evidence.not_sequenced"
    title = "Not in the log yet"
    detail = "The record has no place in the log yet, or no checkpoint covers it: try again in a minute."
    retryable = True


class CheckpointNotFound(NotFound):
    code = "evidence.checkpoint_not_found"
    detail = "The log has no checkpoint of size {name}."


class WitnessNotFound(NotFound):
    code = "evidence.witness_not_found"
    detail = "There is no witness {name!r} here."


class WitnessNameTaken(Conflict):
    code = "evidence.witness_name_taken"
    title = "Name taken"
    detail = "There is already a witness named {name!r}, with another key."


class WitnessKeyInvalid(InvalidRequest):
    code = "evidence.witness_key_invalid"
    title = "Invalid key"
    detail = "This is not the key of a witness: {reason}. Write NAME+ID+BASE64 with the algorithm byte 4."


class CosignatureInvalid(InvalidRequest):
    code = "evidence.cosignature_invalid"
    title = "Invalid cosignature"
    detail = "The cosignature is not valid: {reason}."


class LogKeyMissing(Unprocessable):
    code = "evidence.log_key_missing"
    title = "No key of the log"
    detail = "The signing key of the evidence log is missing. Run manage.py init_pki."


class ExportNotFound(NotFound):
    code = "evidence.export.not_found"
    detail = "There is no export {name!r} here. Exports are deleted a day after they were made."


class ExportNotReady(Conflict):
    code = "evidence.export_not_ready"
    title = "Not ready yet"
    detail = "The export is {state}; its file is not ready."
    retryable = True


class ExportWindowInvalid(InvalidRequest):
    code = "evidence.export_window_invalid"
    title = "Invalid period"
    detail = "This period cannot be exported: {reason}."


class ExportsMany(Conflict):
    code = "evidence.exports_many"
    title = "Too many exports"
    detail = "There are {limit} exports of this organization already. Each is deleted a day after it was made."


class ExportInterrupted(Unprocessable):
    code = "evidence.export_interrupted"
    title = "Export interrupted"
    detail = (
        "The export worker stopped {attempts} times during this export. Create a new export for a shorter period, or "
        "ask an operator."
    )


class ExportStoreFull(Unavailable):
    code = "evidence.export_store_full"
    title = "No space for exports"
    detail = "There is not enough free space for the file. Try again later."


class AuditTooLong(Unprocessable):
    code = "audit.too_long"
    title = "Too many records"
    detail = (
        "The request covers more than {limit} records. Narrow the period with completed_after and completed_before."
    )
