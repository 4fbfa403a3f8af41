"""Trust documents, admission checks and receipts of the node.

Nothing that gives the node data or work happens without a permit. The rules of permits are those of the core package,
the code that also decides; this package adds the node's record of them and its own keys.
"""
