"""Sign-in of people: passwords, second factors, passkeys, OpenID providers, and sessions."""
