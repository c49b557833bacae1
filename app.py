"""Opens the page: `python app.py`. This is also what a Hugging Face Space runs."""

import os

# Before gradio is imported: no usage statistics, no look-up of newer versions.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "100"  # kept for a summary that nobody may see

from whisper_tuner.ui.app import launch

if __name__ == "__main__":
    launch()
