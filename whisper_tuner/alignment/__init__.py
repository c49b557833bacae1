"""A long recording and its full text → clips, each with the words that are spoken in it."""
