"""The command line: `python -m whisper_tuner {demo,prepare,train,status,stop,compare,try,push}`.

Each command calls the functions of `steps`, as the page does. Bad input ends with exit code 2
and one sentence, anything else that failed with 1.
"""

import sys

from whisper_tuner.cli import main

if __name__ == "__main__":
    sys.exit(main())
