"""The parts of `fuzz.py`: one kind of hostile or faulty input each."""
