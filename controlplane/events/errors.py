from controlplane.kernel.errors import Gone, TooMany, Unavailable


class CursorExpired(Gone):
    code = "events.cursor_expired"
    title = "Cursor too old"
    detail = (
        "What came after this cursor is no longer kept, or never was. Read what you need anew, and go on from "
        "{oldest}, the oldest that is kept."
    )


class TooManyStreams(TooMany):
    code = "events.too_many_streams"
    title = "Too many streams"
    detail = "This credential already has {limit} streams open. Close one, or let one stream serve several readers."
    retryable = True


class OrganizationStreamsMany(TooMany):
    code = "events.too_many_streams_of_organization"
    title = "Too many streams"
    detail = "Your organization already has {limit} streams open. Close one, or let one stream serve several readers."
    retryable = True


class StreamsExhausted(Unavailable):
    code = "events.streams_exhausted"
    detail = "There are as many streams as this cloud serves at once. Try again, or read the feed meanwhile."
