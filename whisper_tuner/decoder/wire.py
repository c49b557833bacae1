"""What goes between the page's process and the one that decodes (`child.py`)."""

import struct

REQUEST = struct.Struct("<d")  # beside an open file: seconds that its sound may last at most
ANY_LENGTH = 0.0  # as such a request: it is not held in memory, so it may last for hours
HEADER = struct.Struct("<cI")  # kind of what follows, and its bytes
READY, SOUND, END = b"R", b"S", b"E"  # once; 16-bit samples; the error as JSON, {} for none
BLOCK_SAMPLES = 32_768  # 2 s of sound
MAX_BLOCK_BYTES = 2 * BLOCK_SAMPLES
HEAVY = "audio_too_heavy"
