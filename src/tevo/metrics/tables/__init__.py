"""Tables of the benchmarks' own scorers, written from their definitions, one function a scorer."""
