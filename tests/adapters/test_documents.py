"""Files that people send: told apart by what is in them, and read where a hostile one can break nothing of ours."""

import io
import zlib

import pytest
from fpdf import FPDF
from pypdf import PdfReader, PdfWriter

from parley.adapters import documents
from parley.adapters.documents import Unreadable, text_of

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01"


def pdf(*pages):
    """A PDF with a text on each page."""
    made = FPDF()
    made.set_font("Helvetica", size=11)
    for page in pages:
        made.add_page()
        made.multi_cell(0, 6, page)
    return bytes(made.output())


def locked(content):
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(content)))
    writer.encrypt("secret", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Grüße\nfrom Zürich".encode(), "Grüße\nfrom Zürich"),
        ("\ufeffwith a mark".encode(), "with a mark"),
        ("Grüße".encode("utf-16"), "Grüße"),
        ("Name;Straße\r\nBär;Allee".encode("cp1252"), "Name;Straße\r\nBär;Allee"),
        (b"<!doctype html><p>a page that somebody sent</p>", "<!doctype html><p>a page that somebody sent</p>"),
    ],
)
def test_text_is_read_in_the_ways_that_people_write_it(content, text):
    assert text_of(content) == text


def test_pdf_is_known_by_its_content_and_read_page_by_page():
    found = text_of(pdf("How old is it?", "Four years."))

    assert found == "[page 1]\nHow old is it?\n\n[page 2]\nFour years."


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (PNG, "neither text nor PDF"),
        (b"PK\x03\x04\x14\x00\x00\x00", "neither text nor PDF"),
        (b"", "no text"),
        (b" \n ", "no text"),
        (pdf(""), "scanned"),
        (locked(pdf("A secret")), "protected by a password"),
        (b"%PDF-1.7\nnothing of it is true", "no PDF that can be read"),
        (pdf("Cut off")[:600], "no PDF that can be read"),
    ],
    ids=["image", "archive", "empty", "blank", "scanned", "locked", "broken", "cut off"],
)
def test_what_has_no_text_says_why(content, why):
    with pytest.raises(Unreadable, match=why):
        text_of(content)


def test_only_the_first_pages_of_a_long_pdf_are_read(monkeypatch):
    """The limit is that of the process that reads, here this one."""
    monkeypatch.setattr(documents, "MOST_PAGES", 2)

    found = documents._pages(pdf("One", "Two", "Three"))

    assert "[page 2]\nTwo" in found
    assert "Three" not in found
    assert "the pages from 3 on were not read" in found


def test_bomb_takes_its_reader_along_and_nothing_else():
    """A page that unpacks to a hundred times its size, and more than its reader has room for."""
    stream = zlib.compress(b" " * 150_000_000, 1)
    head = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    page = b"3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R/MediaBox[0 0 9 9]>>endobj\n"
    body = b"4 0 obj<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream endobj\n" % (len(stream), stream)

    with pytest.raises(Unreadable):
        text_of(head + page + body + b"trailer<</Root 1 0 R>>\n%%EOF")


def test_reader_of_pdfs_knows_no_secret(monkeypatch):
    """Its environment holds where its packages are, and nothing of ours."""
    seen = {}

    def run(command, *, env, **options):
        seen.update(env)
        raise documents.subprocess.TimeoutExpired(command, 1)

    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setattr(documents.subprocess, "run", run)

    with pytest.raises(Unreadable, match="too long"):
        text_of(pdf("Hello"))

    assert seen.keys() == {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
