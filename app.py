"""Opens the page: `python app.py`. This is also what a Hugging Face Space runs."""

import gc
import os

# Before gradio is imported: no usage statistics, no look-up of newer versions.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "100"  # kept for a summary that nobody may see

gc.disable()  # it would go through all modules so far again and again: a fifth of the start
from whisper_tuner.ui.app import launch  # noqa: E402

gc.freeze()  # modules stay, and are not searched later
gc.enable()

if __name__ == "__main__":
    launch()
