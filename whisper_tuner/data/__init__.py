"""Sources in, one dataset out. Nothing here imports torch or gradio."""
