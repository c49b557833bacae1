"""Small spreadsheets and Parquet files as programs write them."""

import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pyarrow
import pyarrow.parquet

DATE_STYLE, PERCENT_STYLE = 1, 2
STYLES = (
    '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs>'
    '<xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="9"/></cellXfs></styleSheet>'
)


def write_xlsx(path: Path, *sheets: list[list]) -> Path:
    """A workbook. A cell is a string, a number, or `(number, style)`; None is left out."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    numbers = range(1, len(sheets) + 1)
    names = "".join(f'<sheet name="S{n}" sheetId="{n}" r:id="r{n}"/>' for n in numbers)
    targets = "".join(
        f'<Relationship Id="r{n}" Type="{relations}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in numbers
    )
    book = f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>{names}</sheets></workbook>'
    root = f'<Relationship Id="r1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/>'
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{package}">{root}</Relationships>',
        "xl/workbook.xml": book,
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}">{targets}</Relationships>',
        "xl/styles.xml": STYLES,
    }
    for n, rows in zip(numbers, sheets, strict=True):
        body = "".join(_row(i, row) for i, row in enumerate(rows, 1) if row)
        sheet = f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'
        parts[f"xl/worksheets/sheet{n}.xml"] = sheet
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def _row(number: int, cells: list) -> str:
    inside = "".join(
        _cell(f"{chr(65 + i)}{number}", value) for i, value in enumerate(cells) if value is not None
    )
    return f'<row r="{number}">{inside}</row>'


def _cell(place: str, value: object) -> str:
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    number, style = value if isinstance(value, tuple) else (value, 0)
    return f'<c r="{place}" s="{style}"><v>{number}</v></c>'


def write_ods(path: Path, rows: list[list[str]]) -> Path:
    office = "urn:oasis:names:tc:opendocument:xmlns"
    lines = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{escape(cell)}</text:p>'
            "</table:table-cell>"
            for cell in row
        )
        + "</table:table-row>"
        for row in rows
    )
    manifest = f'<manifest:manifest xmlns:manifest="{office}:manifest:1.0"/>'
    content = (
        f'<office:document-content xmlns:office="{office}:office:1.0"'
        f' xmlns:text="{office}:text:1.0" xmlns:table="{office}:table:1.0"><office:body>'
        "<office:spreadsheet>"
        f'<table:table table:name="L">{lines}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", content)
    return path


def write_parquet(path: Path, columns: dict[str, list], **how: object) -> Path:
    """A table as the Hub keeps it: recordings are `{"bytes": …, "path": …}`."""
    pyarrow.parquet.write_table(pyarrow.table(columns), path, **how)
    return path
