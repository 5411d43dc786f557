"""The files of the page: complete, small, under a policy that forbids everything else."""

import gzip
import re

import pytest

from parley.api import pages

PAGES = ("/", "/chat", "/console", "/sign-in")


def addresses(client, path):
    """What a page loads."""
    return re.findall(r'(?:src|href)="(/page/[^"]+)"', client.get(path).get_data(as_text=True))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_a_strict_policy_and_nothing_inline(client, path):
    """No inline script or style, nothing from elsewhere: the policy would refuse it, and it is not there."""
    got = client.get(path)

    policy = got.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    assert not re.search(r"<script>|<style|style=|\son[a-z]+=|https?://", got.get_data(as_text=True))
    assert got.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", PAGES)
def test_everything_that_a_page_loads_is_there_for_good(client, path):
    """Also what its modules import; the address changes with the content, so a browser may keep it."""
    left, seen = addresses(client, path), set()
    while left:
        address = left.pop()
        got = client.get(address)
        assert got.status_code == 200, address
        assert "immutable" in got.headers["Cache-Control"]
        seen.add(address)
        folder = address.rpartition("/")[0]
        imported = re.findall(r'from "\./([^"]+)"', got.get_data(as_text=True)) if address.endswith(".js") else []
        left += [f"{folder}/{name}" for name in imported if f"{folder}/{name}" not in seen]

    assert seen


def test_no_file_of_another_version_or_folder(client):
    """An old address gives nothing rather than what does not fit; nor is there a way out of the folder."""
    [address, *_] = addresses(client, "/chat")
    digest = address.split("/")[2]

    for path in (
        f"/page/{'0' * 16}/chat.js",
        f"/page/{digest}/chat.html",
        f"/page/{digest}/..%2fpages.py",
        f"/page/{digest}/x.js",
    ):
        assert client.get(path).status_code == 404


def test_a_page_is_packed_for_who_can_unpack_it(client):
    """Gzip, once; the same content."""
    packed = client.get("/chat", headers={"Accept-Encoding": "gzip, br"})

    assert gzip.decompress(packed.get_data()) == client.get("/chat").get_data()


def test_no_script_makes_markup_of_text():
    """Nodes are built; the ways from text to markup or code do not occur."""
    for file in pages.FOLDER.glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc", file.read_text()
        )


@pytest.mark.parametrize("start", ["chat.html", "console.html", "sign-in.html"])
def test_a_page_is_small(start):
    """Everything that it loads, packed: below 60 KB."""
    whole = sum(len(gzip.compress(file.read_bytes())) for file in pages.FOLDER.iterdir())

    assert (pages.FOLDER / start).exists()
    assert whole < 60_000


@pytest.mark.parametrize("path", PAGES)
def test_who_only_asks_whether_a_page_is_there_hears_it(client, path):
    """HEAD, as monitors and previews of links send it."""
    assert client.head(path).status_code == 200
