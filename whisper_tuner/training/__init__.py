"""Training: features, batches, the Trainer, its callbacks. Knows runs, never the page."""
