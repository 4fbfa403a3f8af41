"""How people sign in: passwords, second factors, passkeys, OpenID providers; and the sessions that come of it."""
