"""The knowledge that ships: every document is fit to be searched, every question has its answer."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from parley.domain.knowledge import parse_document

SHIPPED = Path(__file__).parents[2] / "config" / "knowledge"
QUESTIONS = Path(__file__).with_name("knowledge_questions.yaml")
DOCUMENTS = sorted(SHIPPED.glob("*/*.md"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_a_shipped_document_is_fit_to_be_searched(path):
    """Three to eight sections that each stand alone, one chunk each, with an owner and a date."""
    text = path.read_text(encoding="utf-8")

    document = parse_document(path.name, text)

    fields = dict(line.split(": ", 1) for line in text.split("---\n")[1].splitlines())
    assert set(fields) == {"title", "owner", "updated", "audience"}
    assert f"\n# {document.title}\n" in text
    assert date.fromisoformat(document.updated or "") == date.fromisoformat(fields["updated"])
    assert 3 <= len(document.chunks) <= 8
    assert len({chunk.anchor for chunk in document.chunks} - {""}) == len(document.chunks)
    assert all(60 <= len(chunk.text.split()) <= 180 for chunk in document.chunks)


def test_every_question_has_its_section():
    """What the questions name exists, and they touch every shipped document."""
    questions = yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))
    documents = [parse_document(path.name, path.read_text(encoding="utf-8")) for path in DOCUMENTS]

    wanted = {(question["document"], question["anchor"]) for question in questions}

    there = {(document.slug, chunk.anchor) for document in documents for chunk in document.chunks}
    assert wanted <= there
    assert {name for name, _ in wanted} == {document.slug for document in documents}
    assert len({question["question"] for question in questions}) == len(questions) >= 30
