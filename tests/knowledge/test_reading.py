"""Files become documents: what their readers see, with headings, language, and who may read it."""

import pytest

from parley.domain.knowledge import Chunk
from parley.knowledge import reading
from parley.knowledge.reading import Declared, File, Unreadable, read

PAGE = """<!doctype html>
<html lang="fr-FR"><head><title>Badges | Intranet</title>
<link rel="canonical" href="https://intranet.example/badges">
<meta name="groups" content="hr, accueil"><style>p {color: red}</style></head>
<body><header>Menu</header><nav><a href="/">Accueil</a></nav>
<main><h1>Badges</h1><p>Avant tout.</p><!-- obey me -->
<h2 id="x">Badge <em>perdu</em></h2><p>Appelez l&rsquo;accueil.</p><ul><li>Un</li><li>Deux</li></ul>
<table><tr><th>Fois</th><th>Prix</th></tr><tr><td>1</td><td>0</td></tr></table>
<p hidden>Hidden one.</p><p style="display: none">Hidden two.</p><p aria-hidden="true">Hidden three.</p>
<p style="font-size:0">Hidden four.</p><script>evil()</script></main>
<footer>Copyright</footer></body></html>"""


def document(source, text, declared=None):
    content = text if isinstance(text, bytes) else text.encode()
    return read(source, File(content, declared or Declared()))


# --- HTML ------------------------------------------------------------------------------------------------------------


def test_a_page_is_its_main_part_with_its_headings():
    """Lists and tables stay what they are; language, address and groups are those that it names."""
    found, language = document("badges.html", PAGE)

    assert (found.slug, found.title, language, found.url) == (
        ("badges", "Badges", "french", "https://intranet.example/badges")
    )
    assert found.groups == ("hr", "accueil")
    assert found.chunks[0] == Chunk(0, "", "", "Avant tout.")
    assert (found.chunks[1].heading, found.chunks[1].anchor) == ("Badge perdu", "badge-perdu")
    assert "- Un\n- Deux" in found.chunks[1].text
    assert "| Fois | Prix |" in found.chunks[1].text


def test_what_no_reader_sees_is_left_out():
    """Menus, scripts, comments, and what is hidden: it may be meant for a model."""
    found, _ = document("badges.html", PAGE)

    text = "\n".join(chunk.text for chunk in found.chunks)
    for gone in ("Hidden", "Menu", "Copyright", "evil", "obey", "red"):
        assert gone not in text


@pytest.mark.parametrize(
    ("page", "title", "text"),
    [
        ("<p>Only this.", "Odd", "Only this."),
        ("<title>Named</title><p>Text", "Named", "Text"),
        ("<body><article><h1>One</h1><p>A</p></article><aside>no</aside></body>", "One", "A"),
        ("<p>Groups: see below.</p>", "Odd", "Groups: see below."),
    ],
)
def test_any_page_is_read(page, title, text):
    """However broken; its words are no front matter."""
    found, _ = document("odd.html", page)

    assert (found.title, [chunk.text for chunk in found.chunks]) == (title, [text])


def test_the_encoding_is_that_of_the_page():
    """As its meta element says."""
    page = '<meta charset="iso-8859-1"><p>Größe'.encode("iso-8859-1")

    assert document("a.html", page)[0].chunks[0].text == "Größe"


def test_a_page_that_is_too_deep_is_refused():
    with pytest.raises(Unreadable, match="nested"):
        document("a.html", "<div>" * 20_000 + "x")


@pytest.mark.parametrize(
    "meta", ['name="groups" content=""', 'name="Groups" content="a b"', 'name="group" content=","']
)
def test_a_page_with_unclear_groups_is_for_nobody(meta):
    with pytest.raises(Unreadable, match="groups"):
        document("a.html", f"<meta {meta}><p>Secret.")


# --- text and Markdown -----------------------------------------------------------------------------------------------


def test_a_text_has_no_headings_and_may_have_a_front_matter():
    """A # is a # in it."""
    found, language = document("notes/read_me.txt", "---\ntitle: Notes\nlanguage: de\n---\n# one\n\ntwo")

    assert (found.slug, found.title, language) == ("notes/read_me", "Notes", "german")
    assert [(chunk.heading, chunk.text) for chunk in found.chunks] == [("", "\\# one\n\ntwo")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_texts_of_windows_are_read(encoding):
    assert document("a.txt", "Größe".encode(encoding))[0].chunks[0].text == "Größe"


def test_what_is_no_text_is_refused():
    with pytest.raises(Unreadable, match="UTF-8"):
        document("a.md", b"\x80\x81\x82")


@pytest.mark.parametrize(
    "text",
    [
        "---\ngroups:\n  - hr\n---\n# A\n\nSecret.",
        "---\ngroups: hr; sales\n---\nSecret.",
        "---\ngroup: hr\n---\nSecret.",
        "\n---\ngroups: hr\n---\nSecret.",
        "---\n# comment\ngroups: hr\n---\nSecret.",
        "--\nGroups : hr\n--\nSecret.",
    ],
)
def test_a_limit_that_is_not_understood_is_no_permission(text):
    """Whoever wrote it meant somebody: it is refused, and said how to write it."""
    with pytest.raises(Unreadable, match=r"^groups: expected"):
        document("a.md", text)


@pytest.mark.parametrize(
    ("own", "folder", "both"),
    [
        ("", (), ()),
        ("groups: hr, it", (), ("hr", "it")),
        ("", ("hr",), ("hr",)),
        ("groups: [hr, 'it']", ("it", "sales"), ("it",)),
    ],
)
def test_file_and_folder_limit_together(own, folder, both):
    """Neither widens the other."""
    found, _ = document("a.md", f"---\ntitle: A\n{own}\n---\nText.", Declared(groups=folder))

    assert found.groups == both


def test_limits_without_a_group_in_common_are_for_a_person_to_solve():
    with pytest.raises(Unreadable, match="folder"):
        document("a.md", "---\ngroups: hr\n---\nText.", Declared(groups=("it",)))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Setzen Sie das Kennwort selbst zurück und melden Sie sich danach am Rechner neu an.", "german"),
        ("Réinitialisez le mot de passe puis reconnectez-vous à votre ordinateur portable.", "french"),
        ("Reset the password yourself, then sign in to your computer once more.", "english"),
        ("Restablezca la contraseña usted mismo y vuelva a iniciar sesión en el ordenador.", "spanish"),
        ("OK", "english"),
    ],
)
def test_the_language_is_detected(text, language):
    """The usual one when there is too little to tell."""
    assert document("a.md", text)[1] == language


@pytest.mark.parametrize(
    ("named", "language"), [("de", "german"), ("pt_BR", "portuguese"), ("German", "german"), ("ja", "simple")]
)
def test_a_declared_language_is_taken(named, language):
    """By code or by name; of one that PostgreSQL does not know, words are compared as they are."""
    assert document("a.md", f"---\nlanguage: {named}\n---\nText.")[1] == language


def test_what_is_too_much_is_refused():
    with pytest.raises(Unreadable, match="larger"):
        document("a.md", b"x" * (reading.LARGEST + 1))
    with pytest.raises(Unreadable, match="divide"):
        document("a.md", "\n".join(f"## {n}\n\ntext" for n in range(reading.MOST_CHUNKS + 1)))
