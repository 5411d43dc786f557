"""PDF documents: their text, by outline or by page."""

import io

import pytest
from fpdf import FPDF
from pypdf import PdfReader, PdfWriter

from parley.knowledge.reading import File, Unreadable, read


def made(*pages, outline=True, title="Travel policy", footer=""):
    """A PDF of pages of (heading, text) pairs; the headings are its outline, if wanted."""
    pdf = FPDF()
    pdf.set_auto_page_break(auto=False)
    pdf.set_title(title)
    pdf.set_lang("en-GB")
    pdf.set_font("Helvetica", size=11)
    for number, page in enumerate(pages, 1):
        pdf.add_page()
        for heading, text in page:
            if heading and outline:
                pdf.start_section(heading)
            pdf.multi_cell(0, 6, f"{heading}\n{text}" if heading else text, new_x="LMARGIN", new_y="NEXT")
        if footer:
            pdf.set_y(-15)
            pdf.cell(0, 6, f"{footer} {number}")
    return bytes(pdf.output())


def document(content, source="docs/travel.pdf"):
    return read(source, File(content))


def test_sections_are_those_of_the_outline():
    """Each begins where its title stands, may go on over pages, and is linked to by its page."""
    content = made(
        [("", "Valid from May."), ("Trains", "Second class below five hours.")],
        [("", "First class above."), ("Hotels", "120 euros a night.")],
    )

    found, language = document(content)

    assert (found.slug, found.title, language) == ("docs/travel", "Travel policy", "english")
    assert [(chunk.heading, chunk.anchor, " ".join(chunk.text.split())) for chunk in found.chunks] == [
        ("", "", "Valid from May."),
        ("Trains", "page=1", "Second class below five hours. First class above."),
        ("Hotels", "page=2", "120 euros a night."),
    ]


def test_without_an_outline_pages_are_the_sections():
    found, _ = document(made([("", "One.")], [("", "Two.")], outline=False))

    assert [(chunk.heading, chunk.anchor, chunk.text) for chunk in found.chunks] == [
        ("Page 1", "page=1", "One."),
        ("Page 2", "page=2", "Two."),
    ]


def test_what_stands_on_most_pages_is_no_text():
    """A footer with the number of the page."""
    found, _ = document(
        made(*[[("", f"Text {word}.")] for word in "abcde"], outline=False, footer="Alder & Finch, page")
    )

    assert "Alder" not in " ".join(chunk.text for chunk in found.chunks)
    assert [chunk.text for chunk in found.chunks] == [f"Text {word}." for word in "abcde"]


def test_divided_words_are_put_together():
    found, _ = document(made([("", "The authentica-\ntion of Alder-\nFinch")], outline=False))

    assert " ".join(found.chunks[0].text.split()) == "The authentication of Alder- Finch"


@pytest.mark.parametrize("title", ["", "Microsoft Word - policy_final2.docx", "untitled"])
def test_a_title_that_is_none_is_the_name_of_the_file(title):
    assert document(made([("", "Text.")], title=title))[0].title == "Travel"


def test_a_protected_document_is_refused():
    """One without a password for reading is not."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(made([("", "Text.")]))))
    writer.encrypt(user_password="secret", algorithm="RC4-128")
    locked = io.BytesIO()
    writer.write(locked)

    with pytest.raises(Unreadable, match="password"):
        document(locked.getvalue())


def test_a_scan_says_what_it_needs():
    pdf = FPDF()
    pdf.add_page()

    with pytest.raises(Unreadable, match="text recognition"):
        document(bytes(pdf.output()))


@pytest.mark.parametrize("cut", [0, 1, 4, 9, 300, 600])
def test_a_broken_document_is_refused_or_mended(cut):
    """Never another error."""
    content = made([("Trains", "Second class.")])

    for broken in (content[:cut], content[cut:], content[:cut] + b"\xff" * 40 + content[cut + 40 :]):
        assert outcome(broken) in ("Travel policy", "Travel", "refused")


def outcome(content):
    try:
        return document(content)[0].title
    except Unreadable:
        return "refused"
