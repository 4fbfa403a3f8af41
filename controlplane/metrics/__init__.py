"""Usage of guests over time: counters that nodes report, stored in ever coarser steps, and read as rates."""
