from controlplane.kernel.errors import (
    Conflict,
    Forbidden,
    InsufficientStorage,
    InvalidRequest,
    NotFound,
    Unavailable,
    Unprocessable,
)


class CatalogueInvalid(InvalidRequest):
    code = "catalog.catalogue_invalid"
    detail = "The catalogue cannot be imported: {reason}"


class ZoneNotFound(NotFound):
    code = "catalog.zone.not_found"
    detail = "There is no zone {name!r}. GET /v1/zones lists them."


class PartyNotFound(NotFound):
    code = "catalog.party.not_found"
    detail = "There is no party {name!r}. GET /v1/parties lists them."


class FactMalformed(InvalidRequest):
    """A malformed statement; `field` is the location in it."""

    code = "catalog.fact.malformed"
    title = "Malformed statement"
    detail = "The statement cannot be read: {place} {reason}."


class FactRefused(Unprocessable):
    code = "catalog.fact.refused"
    title = "Statement refused"
    detail = "The statement about {attribute} of {subject} is refused: {reason}"


class FactNotSigned(Unprocessable):
    code = "catalog.fact.not_signed"
    title = "Signature refused"
    detail = "The key {key_id!r} did not sign the statement about {attribute} of {subject} as it stands here."


class FactAuthorMismatch(Unprocessable):
    code = "catalog.fact.author_mismatch"
    title = "Signature refused"
    detail = "The key {key_id!r} belongs to {officer!r}, but the statement names {author!r} as its author."


class FactSubjectNotFound(NotFound):
    code = "catalog.fact.subject_not_found"
    detail = "There is no {kind} {name!r} that something could be stated of."


class FactsOverlap(Unprocessable):
    code = "catalog.fact.overlap"
    title = "Statements overlap"
    detail = "Two statements say what {attribute} of {subject} is from {begins} to {ends}."


class FactsLeaveGap(Unprocessable):
    """The remaining time of a superseded statement has to be stated again: a statement ends only by a signature."""

    code = "catalog.fact.leaves_gap"
    title = "Part of a statement would be lost"
    detail = (
        "This supersedes what was stated of {attribute} of {subject}, which holds from {begins} to {ends} too. State "
        "in the same request what holds then; null if it is not known."
    )


class SetAgreementNeeded(Unprocessable):
    code = "catalog.set.agreement_needed"
    title = "A second officer is needed"
    detail = (
        "This adds members to {name}, and so loosens every policy that names it. Send the same statement signed by a "
        "second officer too: both keys must be registered for accounts, and for different ones."
    )


class SetWidenedTooSoon(Unprocessable):
    code = "catalog.set.widened_too_soon"
    title = "Too soon"
    detail = (
        "This adds members to {name} from {begins} on. What loosens policies may begin {hours} hours from now at the "
        "earliest: state what holds until then as it is, and the new members for later."
    )


class OfficerKeyNotFound(NotFound):
    code = "catalog.officer_key.not_found"
    detail = "There is no officer key {name!r}. GET /v1/officer-keys lists them."


class OfficerKeyNotInForce(Unprocessable):
    code = "catalog.officer_key.not_in_force"
    title = "Key not in force"
    detail = "The officer key {name!r} does not count at this time: {reason}"


class OfficerKeyTaken(Conflict):
    """The id of a key is never used again, not even after a revocation."""

    code = "catalog.officer_key.taken"
    title = "Key id taken"
    detail = "There is already an officer key {name!r}, and it is another one."


class OfficerKeyInvalid(InvalidRequest):
    code = "catalog.officer_key.invalid"
    title = "Invalid key"
    detail = "The officer key cannot be registered: {reason}"


class FlavorNotFound(NotFound):
    code = "catalog.flavor.not_found"
    detail = "There is no flavor {name!r}. GET /v1/flavors lists them."


class VolumeTypeNotFound(NotFound):
    code = "catalog.volume_type.not_found"
    detail = "There is no volume type {name!r}. GET /v1/volume-types lists them."


class ImageNotFound(NotFound):
    code = "catalog.image.not_found"
    detail = "There is no image {name!r} here."


class ImageNameTaken(Conflict):
    code = "catalog.image.name_taken"
    title = "Name taken"
    detail = "The project already has an image named {name!r}."


class ImageNotReady(Conflict):
    code = "catalog.image.not_ready"
    detail = "The image {name!r} cannot be used: it is {state}."


class ImageHasContent(Conflict):
    code = "catalog.image.has_content"
    detail = "The image {name!r} does not wait for its bytes: it is {state}. Create another image for other bytes."


class ImageNotOwned(Forbidden):
    code = "catalog.image.not_owned"
    detail = "A public image can only be changed by an operator."


class ImageTooLarge(Unprocessable):
    code = "catalog.image.too_large"
    title = "Image refused"
    detail = "The image has more than {limit_bytes} bytes, which is the limit here."


class ImageDigestMismatch(Unprocessable):
    code = "catalog.image.digest_mismatch"
    title = "Image refused"
    detail = "The bytes that arrived have the SHA-256 {found}, not {declared}. Send the file again."


class ImageRefused(Unprocessable):
    code = "catalog.image.refused"
    title = "Image refused"
    detail = "The image was refused: {reason}"


class ImageSourceRefused(Unprocessable):
    code = "catalog.image.source_refused"
    title = "Source refused"
    detail = "An image cannot be fetched from there: {reason}"


class ImageSourceFailed(Unprocessable):
    code = "catalog.image.source_failed"
    title = "Source failed"
    detail = "The image could not be fetched: {reason}"


class ImageSourceUnavailable(Unavailable):
    """A retry may succeed; after the last one it becomes ImageSourceFailed."""

    code = "catalog.image.source_unavailable"
    detail = "The image could not be fetched at the moment: {reason}"


class ImageInspectionFailed(Unavailable):
    code = "catalog.image.inspection_failed"
    detail = "The image could not be inspected at the moment."


class ImageStoreFull(InsufficientStorage):
    code = "catalog.image.store_full"
    detail = "The image store has no room for the image at the moment."


class ImageFileMissing(Unprocessable):
    code = "catalog.image.file_missing"
    detail = "The file of the image is not in the image store any more. Create the image again."


class ImageSizeMismatch(Unprocessable):
    code = "catalog.image.does_not_fit"
    detail = (
        "The image needs a disk of {needed_gib} GiB; {given_gib} GiB were asked for. Choose a larger size or flavor."
    )
