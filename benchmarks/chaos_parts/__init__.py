"""What `benchmarks/chaos.py` does to runs, one kind of fault a module."""
