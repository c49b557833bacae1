"""The full text of a recording: TXT in any encoding, DOCX, and files that only say so."""

import zipfile
from pathlib import Path

import pytest

from whisper_tuner.data.documents import MEMBER, read_document
from whisper_tuner.errors import InputError

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
BODY = (
    "<w:p><w:r><w:t>Erster </w:t></w:r><w:r><w:t>Absatz.</w:t><w:br/><w:t>Zeile</w:t></w:r></w:p>"
    "<w:p><w:r><w:delText>gestrichen</w:delText><w:t>Zweiter.</w:t></w:r></w:p>"
    "<w:p><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
)


def docx(path: Path, body: str = BODY, head: str = "", member: str = MEMBER) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        xml = f'<?xml version="1.0"?>{head}<w:document xmlns:w="{W}">{body}</w:document>'
        archive.writestr(member, xml)
    return path


def refused(path: Path, encoding: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read_document(path, path.name, encoding)
    assert path.name in caught.value.sentence() and path.name in caught.value.sentence("zh")
    return caught.value.code


def test_a_word_document_in_paragraphs_without_what_was_deleted(tmp_path):
    text = read_document(docx(tmp_path / "rede.docx"), "rede.docx")
    assert text.split("\n\n")[:2] == ["Erster Absatz.\nZeile", "Zweiter."]
    assert "gestrichen" not in text and "PAGE" not in text


def test_a_text_box_is_not_read_twice(tmp_path):
    box = "<w:p><w:t>Kasten</w:t></w:p>"
    mc = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    body = (
        f'<mc:AlternateContent xmlns:mc="{mc}"><mc:Choice>{box}</mc:Choice>'
        f"<mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
    )
    assert read_document(docx(tmp_path / "a.docx", body), "a.docx").split() == ["Kasten"]


def test_hostile_and_broken_documents_are_refused(tmp_path):
    entities = '<!DOCTYPE d [<!ENTITY a "aaaa">]>'
    assert refused(docx(tmp_path / "bomb.docx", "<w:t>&a;</w:t>", entities)) == "xml_entities"
    assert refused(docx(tmp_path / "cut.docx", "<w:p>")) == "document_broken"
    assert refused(docx(tmp_path / "other.docx", member="xl/workbook.xml")) == "document_broken"
    assert refused(docx(tmp_path / "empty.docx", "<w:p/>")) == "document_empty"
    (tmp_path / "no.docx").write_text("Text")
    assert refused(tmp_path / "no.docx") == "archive_not_zip"
    (tmp_path / "old.doc").write_bytes(b"\xd0\xcf\x11\xe0")
    assert refused(tmp_path / "old.doc") == "document_kind"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_that_tells_its_encoding(tmp_path, encoding):
    path = tmp_path / "rede.txt"
    path.write_bytes("Grüße.\r\nZweite Zeile.".encode(encoding))
    assert read_document(path, path.name) == "Grüße.\nZweite Zeile."


def test_text_that_does_not_is_asked_for(tmp_path):
    path = tmp_path / "rede.txt"
    path.write_bytes("Schöne Grüße aus Köln.".encode("cp1252"))
    assert refused(path) == "document_encoding_open"
    assert read_document(path, path.name, "cp1252") == "Schöne Grüße aus Köln."
    path.write_bytes(b"  \n ")
    assert refused(path) == "document_empty"
