"""Where things may be: plain values in, a decision out.

Nothing here knows a clock, a database, a setting or a log: time and randomness come in as arguments, so
that a decision can be taken again later, elsewhere, with the same answer. `policy` and `facts` need only
the standard library, because nodes run them too; therefore this file imports nothing.

Reading order: facts, policy · request, fleet · filters, rank · decision, decide, hints · capacity ·
explain, sentences.
"""
