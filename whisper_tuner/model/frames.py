"""How long Whisper's input is, in seconds, log-mel frames and encoder positions. No torch."""

FRAMES_PER_S = 100  # log-mel frames: a hop of 160 samples at 16 kHz
FRAMES_PER_POSITION = 2  # the second convolution's stride
POSITIONS_PER_S = FRAMES_PER_S // FRAMES_PER_POSITION
FULL_S = 30.0
FULL_FRAMES = int(FULL_S * FRAMES_PER_S)
FULL_POSITIONS = FULL_FRAMES // FRAMES_PER_POSITION

# The speech window (`model/window.py`).
MARGIN_S = 0.2  # silence behind the longest clip
FLOOR_S = 1.0
# Of the positions behind the window only one of so many is read. A text that is heard tips where
# two tokens are near a tie, so listening reads more; there it costs little.
STRIDE_LEARNING, STRIDE_LISTENING = 4, 2


def window_frames(longest_s: float, window: str) -> int:
    """Log-mel frames for a batch whose longest clip lasts `longest_s`: even, 1 … 30 seconds.

    `window`: "full" (always 30 seconds) or "speech", as in `TrainConfig`.
    """
    if window == "full":
        return FULL_FRAMES
    seconds = min(max(longest_s + MARGIN_S, FLOOR_S), FULL_S)
    return round(seconds * POSITIONS_PER_S) * FRAMES_PER_POSITION


def n_read(n_positions: int, stride: int) -> int:
    """Positions whose keys and values attention reads, in a window of `n_positions`."""
    return n_positions + len(range(n_positions + stride // 2, FULL_POSITIONS, stride))
