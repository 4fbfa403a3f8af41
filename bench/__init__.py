"""Every figure in the documents comes from a command here: `make bench NAME=create|boot|footprint`. JSON on stdout."""
