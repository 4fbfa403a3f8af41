"""The metadata service of a node: a process of its own that answers guests' questions about themselves.

The agent opens its sockets in the routers' namespaces and tells it what each guest may read (channel). It has neither
privileges nor a network of its own, and no way to ask the agent for anything. Standard library only.
"""
