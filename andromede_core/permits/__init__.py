"""Signed permits, and the trust documents by which a node checks them."""
