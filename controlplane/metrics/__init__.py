"""What guests used, and when: counters that nodes report, kept in ever coarser steps, and read as rates."""
