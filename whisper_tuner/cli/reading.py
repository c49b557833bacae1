"""How a table is to be read, as arguments of the command line."""

import argparse

from whisper_tuner.data.encodings import ENCODINGS
from whisper_tuner.data.tables import Reading

DELIMITERS = {",": ",", ";": ";", "tab": "\t", "|": "|"}


def reading_arguments(sub: argparse.ArgumentParser) -> None:
    group = sub.add_argument_group("tables, and Hub datasets, that do not say how to read them")
    column = {"metavar": "COLUMN", "help": "its name in the header, or its number from 1"}
    group.add_argument("--audio-column", **column)
    group.add_argument("--text-column", **column)
    group.add_argument(
        "--encoding",
        choices=ENCODINGS,
        metavar="NAME",
        help=f"of files that are not Unicode: {', '.join(ENCODINGS)}",
    )
    group.add_argument(
        "--delimiter",
        choices=DELIMITERS,
        metavar="SIGN",
        help='what is between the columns: "," ";" "|" or tab',
    )
    group.add_argument("--no-header", action="store_true", help="the first row is a recording")
    sub.add_argument(
        "--tier",
        metavar="NAME",
        default="",
        help="TextGrid, .eaf: the tier with what is said, or the kind of all such tiers",
    )


def reading_from(options: argparse.Namespace) -> Reading:
    return Reading(
        encoding=options.encoding,
        delimiter=DELIMITERS.get(options.delimiter),
        has_header=False if options.no_header else None,
        audio=options.audio_column,
        text=options.text_column,
        tier=options.tier,
    )
