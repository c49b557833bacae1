"""What `benchmarks/fuzz.py` throws at the data step."""
