"""Sign-in by OpenID Connect: authorization code with PKCE, state and nonce.

providers.py: trusted providers and their settings. oidc_http.py: requests to providers. claims.py: verification of ID
tokens. services.py: the sign-in. groups.py: memberships by groups.
"""
