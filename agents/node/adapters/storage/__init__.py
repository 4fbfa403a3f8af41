"""Storage engines: where the data of volumes is, one file each. Services ask for capabilities, not for names."""
