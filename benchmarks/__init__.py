"""DataFlow beside the bare driver, in one interleaved run: ``./dev bench``. How to read it: docs/benchmarks.md."""
