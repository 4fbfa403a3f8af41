"""JSON documents: canonical form, parsing, signatures, and messages in two languages."""
