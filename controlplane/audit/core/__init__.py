"""The evidence log without a database: trees, notes, records, signatures, and what an export must satisfy.

Everything but `witness` is standard library only, because the stand-alone verifier is made of it.
"""
