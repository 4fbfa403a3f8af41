"""One file per kind of drift. A reconciler takes no arguments: it reads what is meant and what is, and mends or
reports."""
