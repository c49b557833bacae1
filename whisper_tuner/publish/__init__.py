"""The adapter leaves the machine: as a ZIP to keep, or to the user's own Hugging Face account."""
