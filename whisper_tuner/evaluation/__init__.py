"""Measuring: clips → texts, texts → error rates, base and tuned side by side."""
