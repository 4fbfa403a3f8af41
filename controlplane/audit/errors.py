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
    detail = "The cosignature does not count: {reason}."


class LogKeyMissing(Unprocessable):
    code = "evidence.log_key_missing"
    title = "No key of the log"
    detail = "There is no key to sign checkpoints with: run manage.py init_pki."


class ExportNotFound(NotFound):
    code = "evidence.export.not_found"
    detail = "There is no export {name!r} here. Exports are deleted a day after they were made."


class ExportNotReady(Conflict):
    code = "evidence.export_not_ready"
    title = "Not ready yet"
    detail = "The file is not there: the export is {state}."
    retryable = True


class ExportWindowInvalid(InvalidRequest):
    code = "evidence.export_window_invalid"
    title = "Invalid time"
    detail = "This time cannot be exported: {reason}."


class ExportsMany(Conflict):
    code = "evidence.exports_many"
    title = "Too many exports"
    detail = "There are {limit} exports of this organization already. Each is deleted a day after it was made."


class ExportInterrupted(Unprocessable):
    code = "evidence.export_interrupted"
    title = "Export interrupted"
    detail = "The process that makes exports has ended {attempts} times in the middle of this one."


class ExportStoreFull(Unavailable):
    code = "evidence.export_store_full"
    title = "No room for exports"
    detail = "There is no room for the file at the moment. Try again later."


class AuditTooLong(Unprocessable):
    code = "audit.too_long"
    title = "Too many records"
    detail = "More than {limit} records are asked for at once. Narrow the time by completed_after and completed_before."
