"""The catalogue: regions, zones and their parties, facts, flavors, volume types, images."""
