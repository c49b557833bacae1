"""The full text of a recording: a TXT file in any encoding, or a Word document (DOCX)."""

import tempfile
from pathlib import Path, PurePosixPath
from xml.parsers import expat

from whisper_tuner.config import TEMP_PREFIX
from whisper_tuner.data.archives import open_archive
from whisper_tuner.data.encodings import decode_text
from whisper_tuner.errors import InputError

DOCUMENT_SUFFIXES = frozenset({".txt", ".docx"})
MAX_BYTES = 16 << 20  # of text, or of the XML in a DOCX; a novel has 1 MB
MAX_LETTERS = 2_000_000
MEMBER = "word/document.xml"  # ECMA-376, part 1, 11.3.10
BREAKS = {"p": "\n\n", "br": "\n", "cr": "\n", "tab": " "}  # elements of WordprocessingML


def read_document(path: Path, name: str, encoding: str | None = None) -> str:
    """The text, paragraphs parted by an empty line. `encoding`: what a person says of a TXT that
    does not tell it itself.

    Raises: InputError document_kind, document_broken, document_empty, document_encoding_open,
    text_too_large, xml_entities, and those of `open_archive` and `decode_text`.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in DOCUMENT_SUFFIXES:
        raise InputError("document_kind", file=name)
    if suffix == ".docx":
        text = _docx(path, name)
    else:
        text, _, is_certain = decode_text(_read(path, name), name, encoding)
        if not is_certain:
            raise InputError("document_encoding_open", file=name)
    text = "\n".join(text.splitlines())
    if not any(char.isalnum() for char in text):
        raise InputError("document_empty", file=name)
    if len(text) > MAX_LETTERS:
        raise InputError("text_too_large", file=name, limit_kb=MAX_LETTERS >> 10)
    return text


def _read(path: Path, name: str) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError("text_too_large", file=name, limit_kb=MAX_BYTES >> 10)
    return data


def _docx(path: Path, name: str) -> str:
    with (
        tempfile.TemporaryDirectory(prefix=TEMP_PREFIX) as folder,
        open_archive(path, name) as archive,
    ):
        if MEMBER not in archive.names:
            raise InputError("document_broken", file=name)
        target = Path(folder) / "document.xml"
        archive.extract(MEMBER, target)
        return _paragraphs(_read(target, name), name)


def _paragraphs(data: bytes, name: str) -> str:
    parts: list[str] = []
    path: list[str] = []  # local names of the open elements
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True

    def start(element: str, _: dict[str, str]) -> None:
        path.append(element.rpartition(" ")[2])

    def end(_: str) -> None:
        last = path.pop()
        if "Fallback" not in path:  # the same text box again, for old versions of Word
            parts.append(BREAKS.get(last, ""))

    def characters(text: str) -> None:
        if path[-1] == "t" and "Fallback" not in path:
            parts.append(text)

    def refuse(*_: object) -> None:
        raise InputError("xml_entities", file=name)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = characters, refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the latter: its encoding
        raise InputError("document_broken", file=name) from error
    return "".join(parts)
