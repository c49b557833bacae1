"""The command line: arguments in, the functions of `steps`, sentences or JSON out."""

import sys

from whisper_tuner.cli.arguments import parser
from whisper_tuner.errors import InputError, RunError, TunerError

INTERRUPTED = 130  # as shells say it of Ctrl+C


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return options.function(options)
    except TunerError as error:
        print(error.sentence(), file=sys.stderr)
        return 2 if isinstance(error, InputError | RunError) else 1
    except KeyboardInterrupt:  # where nothing runs that could be stopped (`telling.follow`)
        return INTERRUPTED
