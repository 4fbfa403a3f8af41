"""What the node trusts, whether a call is permitted, and what was done under which permit.

Nothing that gives the node data or work happens without a permit. The rules of permits are those of the placement core,
the very code that decided; here are the node's memory of them and its own keys.
"""
