"""The run folder, its events, and the processes that write it. Nothing here imports torch."""
