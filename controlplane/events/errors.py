from controlplane.kernel.errors import Gone, TooMany, Unavailable


class CursorExpired(Gone):
    code = "events.cursor_expired"
    title = "Cursor too old"
    detail = (
        "The events after this cursor are no longer stored, or the cursor was never valid. Read the resources again, "
        "and continue from {oldest}, the oldest cursor."
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
    detail = "The cloud serves the maximum number of streams. Try again later, or read the list of events."
