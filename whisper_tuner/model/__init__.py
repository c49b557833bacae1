"""Base models: what there is, where the files come from, how they are loaded."""
