"""Sign-in by OpenID Connect: authorization code with PKCE, state and nonce.

providers.py: who is trusted, and for what. wire.py: what is said to a provider. claims.py: what of its answer is
believed. services.py: the sign-in. groups.py: memberships by groups.
"""
