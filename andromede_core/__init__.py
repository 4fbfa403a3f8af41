"""The pure core: values in, a decision or a verdict out. No Django, no database, no clock, no settings, no log.

Time and randomness are arguments, so a decision can be computed again later, elsewhere, with the same result. The
control plane, the signer, the agents and the one-file verifier run the same code. Everything but `placement` needs only
the standard library; `placement` needs NumPy.
"""
