"""Announcers: machines whose BIRD announces a zone's public addresses to the routers, and what they report."""
