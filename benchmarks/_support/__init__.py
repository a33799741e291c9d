"""What the benchmarks share: a quiet machine, floors, fleets, tables."""
