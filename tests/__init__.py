"""Where tests of a folder share something that costs while it is there (a cloud, a lab), the folder is a package: what
has its scope ends with the last of its tests."""
