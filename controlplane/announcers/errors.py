from controlplane.kernel.errors import Conflict, InvalidRequest, NotFound


class AnnouncerNotFound(NotFound):
    code = "announcer.not_found"
    detail = "There is no announcer {name!r}."


class AnnouncerNameTaken(Conflict):
    code = "announcer.name_taken"
    title = "Name taken"
    detail = "There is already an announcer named {name!r}."


class AnnouncerAddressInvalid(InvalidRequest):
    code = "announcer.address_invalid"
    title = "Invalid address"
    detail = "{address!r} is not HOST:PORT, where the announcer's service listens, such as 10.0.7.11:7445."
