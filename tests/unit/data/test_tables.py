"""Tables as Excel, LibreOffice, Audacity users and corpora write them."""

import csv
import io

import pytest

from whisper_tuner.data.tables import MAX_ROWS, Row, read_table
from whisper_tuner.errors import InputError


def rows(text: str, encoding: str = "utf-8", name: str = "list.csv") -> list[Row]:
    return read_table(text.encode(encoding), name).rows


def refusal(data: bytes, name: str = "list.csv") -> InputError:
    with pytest.raises(InputError) as caught:
        read_table(data, name)
    return caught.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_delimiters_encodings_line_ends(delimiter: str, encoding: str, line_end: str) -> None:
    lines = [("file_name", "transcription"), ("a.wav", "这是我的房子"), ("b.wav", "他在医院")]
    text = line_end.join(delimiter.join(line) for line in lines) + line_end
    found = rows(text, encoding)
    assert [(row.file, row.text) for row in found] == lines[1:]
    assert [row.number for row in found] == [2, 3]


@pytest.mark.parametrize("audio", ["File Name", "file-name", "PATH", "audio", "wav", "Audio_File"])
@pytest.mark.parametrize("text", ["Text", "sentence", "LABEL", "Transcript", "transcription "])
def test_header_names(audio: str, text: str) -> None:
    assert rows(f"id,{text},{audio}\n7,hello,a.wav\n") == [Row("a.wav", "hello", "", "", 2)]


def test_the_more_exact_header_wins() -> None:
    found = rows("name,text,file_name,sentence\nAnna,x,a.wav,hello\n")
    assert (found[0].file, found[0].text) == ("a.wav", "x")


def test_split_and_speaker() -> None:
    found = rows(
        "file,text,split,client_id\na,x,Train,s1\nb,y,validation,s2\nc,z,TEST,s1\nd,w,,\ne,v,?,s\n"
    )
    assert [row.split for row in found] == ["train", "dev", "test", "", ""]
    assert [row.speaker for row in found] == ["s1", "s2", "s1", "", "s"]


def test_a_table_named_after_its_split() -> None:
    assert rows("file,text\na,x\n", name="data/test.csv")[0].split == "test"
    assert rows("file,text,split\na,x,train\n", name="data/test.csv")[0].split == "train"


def test_quoted_commas_newlines_and_marks() -> None:
    out = io.StringIO()
    texts = ["one, two", "line one\nline two", 'he said "no"', "  spaces  ", ""]
    writer = csv.writer(out)
    writer.writerow(["file", "text"])
    writer.writerows([f"{i}.wav", text] for i, text in enumerate(texts))
    found = rows(out.getvalue())
    assert [row.text for row in found] == texts
    assert [row.number for row in found] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("word", ["NA", "null", "None", "nan", "N/A", "-", "1.0", "TRUE", "007"])
def test_no_word_is_a_missing_value(word: str) -> None:
    assert rows(f"file,text\na.wav,{word}\n")[0].text == word


def test_quotation_marks_that_mean_nothing() -> None:
    text = 'file\ttext\na.wav\t"Hello\nb.wav\tBye\nc.wav\t"Yes" he said\nd.wav\tthe "end"\n'
    expected = ['"Hello', "Bye", '"Yes" he said', 'the "end"']
    assert [row.text for row in rows(text, name="list.tsv")] == expected
    swallowed = 'file\ttext\na.wav\t"Hello\nb.wav\tBye"\nc.wav\tYes\n'
    assert [row.text for row in rows(swallowed)] == ['"Hello', 'Bye"', "Yes"]


def test_an_open_quotation_mark_names_its_row() -> None:
    error = refusal(b'file,text\na.wav,fine\nb.wav,"one, two\nc.wav,three\n')
    assert (error.code, error.params) == ("table_unreadable", {"file": "list.csv", "row": 3})


def test_a_comma_that_was_not_quoted() -> None:
    found = rows("file,text\na.wav,one, two\nb.wav,three,,\n")
    assert [row.problem for row in found] == ["row_extra_cells", ""]


def test_blank_lines_keep_the_numbers_of_a_spreadsheet() -> None:
    found = rows("\nfile,text\n\na.wav,x\n,\nb.wav,y\n")
    assert [(row.file, row.number) for row in found] == [("a.wav", 4), ("b.wav", 6)]


def test_a_short_row_has_no_text() -> None:
    assert rows("file,text\na.wav\n")[0].text == ""


def test_missing_columns_name_what_was_found() -> None:
    error = refusal(b"file;words\na;b\n")
    assert error.code == "table_no_text_column"
    assert error.params == {"file": "list.csv", "columns": "file, words"}
    assert refusal(b"words,text\na,b\n").code == "table_no_audio_column"
    assert refusal(b"a.wav|hello\nb.wav|you\n").code == "table_no_audio_column"


@pytest.mark.parametrize("data", [b"", b"\n\n \n", b"file,text\n", b"file,text\n,\n\n"])
def test_empty(data: bytes) -> None:
    assert refusal(data).code == "table_empty"


def test_nul_and_giants() -> None:
    assert refusal(b"file,text\na\0.wav,x\n").code == "text_not_text"
    error = refusal(b"file,text\na.wav," + b"x" * 200_000 + b"\n")
    assert (error.code, error.params["row"]) == ("table_unreadable", 2)
    assert refusal(b"file,text\n" + b"a,b\n" * (MAX_ROWS + 1)).code == "table_too_long"


def test_a_guessed_encoding_is_said() -> None:
    assert read_table("file,text\na,Müller\n".encode("cp1252"), "x").guessed
    assert not read_table("file,text\na,Müller\n".encode("utf-16"), "x").guessed
