"""Teach OpenAI's Whisper your voices and words."""

__version__ = "0.1.0"
