"""The signer process: the only holder of the keys that permits and floors are signed with.

It decides again, from the database alone, before it signs; a message in its queue is only a wake-up. The sentinel,
which gives the second signature that some classifications demand, is another process with the same code and other keys
(sentinel.py).
"""
