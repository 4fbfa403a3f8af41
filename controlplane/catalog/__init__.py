"""What there is to choose from: regions, zones and the parties behind them, facts, flavors, volume types, images."""
