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
    detail = "The signature of the key {key_id!r} does not match the statement about {attribute} of {subject}."


class FactAuthorMismatch(Unprocessable):
    code = "catalog.fact.author_mismatch"
    title = "Signature refused"
    detail = "The key {key_id!r} belongs to {officer!r}, but the statement names {author!r} as its author."


class FactSubjectNotFound(NotFound):
    code = "catalog.fact.subject_not_found"
    detail = "There is no {kind} {name!r} to state facts about."


class FactsOverlap(Unprocessable):
    code = "catalog.fact.overlap"
    title = "Statements overlap"
    detail = "Two statements about {attribute} of {subject} overlap from {begins} to {ends}."


class FactsLeaveGap(Unprocessable):
    """The remaining time of a superseded statement has to be stated again: a statement ends only by a signature."""

    code = "catalog.fact.leaves_gap"
    title = "Part of a statement would be lost"
    detail = (
        "This statement replaces one about {attribute} of {subject} that also covers {begins} to {ends}. State the "
        "value for that period in the same request; null if it is not known."
    )


class SetAgreementNeeded(Unprocessable):
    code = "catalog.set.agreement_needed"
    title = "A second officer is needed"
    detail = (
        "Adding members to {name} loosens each policy that names it. Send the statement with the signature of a "
        "second officer too; the two keys must be registered for different accounts."
    )


class SetWidenedTooSoon(Unprocessable):
    code = "catalog.set.widened_too_soon"
    title = "Too soon"
    detail = (
        "Adding members to {name} from {begins} on loosens policies, and may take effect {hours} hours from now at "
        "the earliest. State the current members until then, and the new ones for later."
    )


class OfficerKeyNotFound(NotFound):
    code = "catalog.officer_key.not_found"
    detail = "There is no officer key {name!r}. GET /v1/officer-keys lists them."


class OfficerKeyNotInForce(Unprocessable):
    code = "catalog.officer_key.not_in_force"
    title = "Key not in force"
    detail = "The officer key {name!r} is not valid now: {reason}"


class OfficerKeyTaken(Conflict):
    """The id of a key is never used again, not even after a revocation."""

    code = "catalog.officer_key.taken"
    title = "Key id taken"
    detail = "The id {name!r} already belongs to another officer key."


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


class VolumeTypeTaken(Conflict):
    code = "catalog.volume_type.taken"
    title = "Id taken"
    detail = "There is already a volume type {name!r}."


class VolumeTypeInvalid(Unprocessable):
    code = "catalog.volume_type.invalid"
    title = "Volume type refused"
    detail = "The volume type {name!r} is on a node's own disk and can have no pool. Choose another id."


class MultiAttachWithoutPool(Unprocessable):
    code = "catalog.volume_type.multi_attach_without_pool"
    title = "Volume type refused"
    detail = (
        "Volumes that several instances can have attached at once are made at once, in the pool of a storage cluster. "
        "Name the pool, and leave the binding out."
    )


class RootTypeForSeveral(Unprocessable):
    code = "catalog.volume_type.for_several"
    title = "Type for several instances"
    detail = (
        "Several instances can have volumes of the type {volume_type!r} attached at once; no root disk is one. Choose "
        "another type."
    )


class VolumeTypeRetired(Conflict):
    code = "catalog.volume_type.retired"
    title = "Volume type retired"
    detail = "The volume type {name!r} is retired and takes no new volumes. Choose another one."


class VolumeTypeInUse(Conflict):
    code = "catalog.volume_type.in_use"
    title = "In use"
    detail = (
        "Volumes or root disks have the volume type {name!r}, or had it before they were deleted. Retire it instead: "
        "then it takes no new volumes."
    )


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
    detail = "The image {name!r} is {state} and accepts no upload. Create another image to upload another file."


class ImageNotOwned(Forbidden):
    code = "catalog.image.not_owned"
    detail = "A public image can only be changed by an operator."


class ImageTooLarge(Unprocessable):
    code = "catalog.image.too_large"
    title = "Image refused"
    detail = "The image is larger than the limit of {limit_bytes} bytes."


class ImageDigestMismatch(Unprocessable):
    code = "catalog.image.digest_mismatch"
    title = "Image refused"
    detail = "The uploaded file has the SHA-256 {found}, not the declared {declared}. Upload the file again."


class ImageRefused(Unprocessable):
    code = "catalog.image.refused"
    title = "Image refused"
    detail = "The image was refused: {reason}"


class ImageSourceRefused(Unprocessable):
    code = "catalog.image.source_refused"
    title = "Source refused"
    detail = "The image source is not allowed: {reason}"


class ImageSourceFailed(Unprocessable):
    code = "catalog.image.source_failed"
    title = "Source failed"
    detail = "The image could not be fetched: {reason}"


class ImageSourceUnavailable(Unavailable):
    """A retry may succeed; after the last one it becomes ImageSourceFailed."""

    code = "catalog.image.source_unavailable"
    detail = "The image could not be fetched now: {reason}"


class ImageInspectionFailed(Unavailable):
    code = "catalog.image.inspection_failed"
    detail = "The image could not be inspected. Try again later."


class ImageStoreFull(InsufficientStorage):
    code = "catalog.image.store_full"
    detail = "The image store has no free space for the image. Try again later."


class ImageManySources(Unprocessable):
    code = "catalog.image.many_sources"
    title = "More than one source"
    detail = (
        "An image is made of one file, one snapshot or one volume. Leave out {name!r}, or the snapshot or volume; the "
        "format of an image of a snapshot or a volume is qcow2."
    )


class ImageFileMissing(Unprocessable):
    code = "catalog.image.file_missing"
    detail = "The image file is missing from the image store. Create the image again."


class ImageSizeMismatch(Unprocessable):
    code = "catalog.image.does_not_fit"
    detail = (
        "The image needs a disk of {needed_gib} GiB, and the request has {given_gib} GiB. Choose a larger size or "
        "flavor."
    )
