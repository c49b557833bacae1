"""Tables as Excel, LibreOffice, Audacity users and corpora write them."""

import csv
import io

import pytest

from whisper_tuner.data.drafts import MAX_ROWS
from whisper_tuner.data.table_files import draft_text
from whisper_tuner.data.tables import Draft, Reading, Row
from whisper_tuner.errors import InputError


def is_recording(cell: str) -> bool:
    return cell in ("a.wav", "b.wav", "c.wav", "a", "b", "c")


def read(data: bytes, name: str = "list.csv", /, **said: object) -> Draft:
    return draft_text(data, name, Reading(**said), is_recording)


def rows(text: str, saved: str = "utf-8", name: str = "list.csv", /, **said: object) -> list[Row]:
    return read(text.encode(saved), name, **said).rows()


def refusal(data: bytes, name: str = "list.csv", /, **said: object) -> InputError:
    with pytest.raises(InputError) as caught:
        read(data, name, **said).rows()
    return caught.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_delimiters_encodings_line_ends(delimiter: str, encoding: str, line_end: str) -> None:
    lines = [("file_name", "transcription"), ("a.wav", "这是我的房子"), ("b.wav", "他在医院")]
    text = line_end.join(delimiter.join(line) for line in lines) + line_end
    found = rows(text, encoding, encoding="gb18030")
    assert [(row.file, row.text) for row in found] == lines[1:]
    assert [row.number for row in found] == [2, 3]


@pytest.mark.parametrize("audio", ["File Name", "file-name", "PATH", "audio", "wav", "Audio_File"])
@pytest.mark.parametrize("text", ["Text", "sentence", "LABEL", "Transcript", "transcription "])
def test_header_names(audio: str, text: str) -> None:
    assert rows(f"id,{text},{audio}\n7,hello,a.wav\n") == [Row("a.wav", "hello", "", "", 2)]


def test_the_more_exact_header_wins() -> None:
    found = rows("name,label,file_name,sentence\nAnna,x,a.wav,hello\n")
    assert (found[0].file, found[0].text) == ("a.wav", "hello")


def test_two_columns_of_transcripts_are_a_question() -> None:
    text = "file_name,text,sentence\na.wav,five,5\n"
    assert refusal(text.encode()).code == "table_columns_open"
    assert rows(text, text="sentence")[0].text == "5"
    assert rows(text, text="2")[0].text == "five"
    assert rows("file_name,text,sentence\na.wav,five,five\n")[0].text == "five"


def test_split_and_speaker() -> None:
    found = rows(
        "file,text,split,client_id\na,x,Train,s1\nb,y,validation,s2\nc,z,TEST,s1\nd,w,,\ne,v,?,s\n"
    )
    assert [row.split for row in found] == ["train", "dev", "test", "", ""]
    assert [row.speaker for row in found] == ["s1", "s2", "s1", "", "s"]


def test_a_table_named_after_its_split() -> None:
    assert rows("file,text\na,x\n", "utf-8", "data/test.csv")[0].split == "test"
    assert rows("file,text,split\na,x,train\n", "utf-8", "data/test.csv")[0].split == "train"


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
    assert [row.text for row in rows(text, "utf-8", "list.tsv")] == expected
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
    assert error.code == "table_columns_open"
    assert refusal(b"file;words\nx;7\n").code == "table_no_text_column"
    assert (error.params["file"], error.params["columns"]) == ("list.csv", "file, words")
    assert refusal(b"words,text\na,b\n").code == "table_no_audio_column"
    assert refusal(b"x.mp3|7\ny.mp3|8\n").code == "table_no_audio_column"


@pytest.mark.parametrize("data", [b"", b"\n\n \n", b"file,text\n", b"file,text\n,\n\n"])
def test_empty(data: bytes) -> None:
    assert refusal(data).code == "table_empty"


def test_nul_and_giants() -> None:
    assert refusal(b"file,text\na\0.wav,x\n").code == "text_not_text"
    error = refusal(b"file,text\na.wav," + b"x" * 200_000 + b"\n")
    assert (error.code, error.params["row"]) == ("table_unreadable", 2)
    assert refusal(b"file,text\n" + b"a,b\n" * (MAX_ROWS + 1)).code == "table_too_long"


def test_an_encoding_that_is_not_told_is_a_question() -> None:
    data = "file,text\nc.wav,plain\na.wav,Müller\n".encode("cp1252")
    error = refusal(data)
    assert error.code == "table_encoding_open"
    assert (error.params["encoding"], error.params["sample"]) == ("cp1252", "Müller")
    assert error.params["row"] == 3
    assert read(data, encoding="cp1252").rows()[1].text == "Müller"
    assert read(data, encoding="cp1250").rows()[1].text == "Müller"
    assert refusal(data, encoding="utf-8").code == "text_encoding_wrong"
    # What the bytes tell is not overruled.
    assert rows("file,text\na,Müller\n", "utf-16", encoding="cp1252")[0].text == "Müller"


@pytest.mark.parametrize("above", ["sep=;\n", "Recordings of May\n\n", "Anna; May;\n"])
def test_a_header_below_a_title(above: str) -> None:
    found = rows(above + "file;text\na.wav;one\nb.wav;two\n")
    n_above = above.count("\n")
    assert [(row.text, row.number) for row in found] == [("one", n_above + 2), ("two", n_above + 3)]


def test_delimiters_at_the_ends_of_lines() -> None:
    assert [row.problem for row in rows("file;text;\na;one;\nb;two; three\n")] == [
        "",
        "row_extra_cells",
    ]
    assert [row.problem for row in rows("file;text\na;one;;\nb;two; three\n")] == [
        "",
        "row_extra_cells",
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_no_header_but_recordings_that_are_there(delimiter: str) -> None:
    lines = [("a.wav", "Here it is."), ("b.wav", "There"), ("c", "It was not.")]
    found = rows("\n".join(delimiter.join(line) for line in lines))
    assert [(row.file, row.text, row.number) for row in found] == [
        (file, text, number) for number, (file, text) in enumerate(lines, 1)
    ]


def test_ljspeech() -> None:
    text = 'a|"Yes," he said 1 time|"Yes," he said one time\nb|I know him|I know him\n'
    assert [row.text for row in rows(text)] == ['"Yes," he said 1 time', "I know him"]


def test_no_header_and_several_columns_are_a_question() -> None:
    text = "a.wav,Good day,Anna Meyer\nb.wav,Good night,Bert Meyer\n"
    assert refusal(text.encode()).code == "table_columns_open"
    found = rows(text, text=2, speaker=3)
    assert [(row.text, row.speaker) for row in found] == [
        ("Good day", "Anna Meyer"),
        ("Good night", "Bert Meyer"),
    ]


def test_a_comma_in_most_texts_without_header_is_a_question() -> None:
    text = "a.wav,yes, well\nb.wav,no, never\nc.wav,good\n"
    assert refusal(text.encode()).code == "table_columns_open"


def test_columns_that_a_person_names() -> None:
    text = "Aufnahme;Wortlaut;Datum\na.wav;ja;1\nb.wav;nein;2\n"
    assert [row.text for row in rows(text)] == ["ja", "nein"]  # the only words beside recordings
    unknown = text.replace("a.wav", "x7").replace("b.wav", "x8")
    assert refusal(unknown.encode()).code == "table_no_audio_column"
    found = rows(unknown, audio="Aufnahme", text="Wortlaut")
    assert [(row.file, row.text, row.number) for row in found] == [
        ("x7", "ja", 2),
        ("x8", "nein", 3),
    ]
    assert [row.file for row in rows(unknown, audio="1", text=2)] == ["x7", "x8"]
    found = rows(unknown, audio=1, text=2, has_header=False)
    assert [(row.file, row.number) for row in found] == [("Aufnahme", 1), ("x7", 2), ("x8", 3)]


def test_line_breaks_in_quoted_cells_that_look_like_rows() -> None:
    found = rows('file,text\na.wav,"one\nb, two"\nb.wav,three\n')
    assert [(row.file, row.text) for row in found] == [("a.wav", "one\nb, two"), ("b.wav", "three")]
    error = refusal(b'file,text\na,"one\nb,two"\nc,three\n')  # a mark each, or one quoted cell?
    assert (error.code, error.params["row"]) == ("table_unreadable", 2)
