"""Facts of zones and parties: attributes, signed statements, certificates, and the world that follows from them."""
