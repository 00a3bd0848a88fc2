import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from parity.diff import diff
from parity.evaluate import Evaluation, Score
from parity.page import write_cluster_page
from parity.page_clusters import MEMBERS
from parity.thumbnails import SIZE, thumbnail
from shared.run import open_run
from tests import runs
from tests.runs import head, item, member, sample

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202egpj\x1b[31m'


class Elements(HTMLParser):
    """All elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture
def images(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for i, name in enumerate("abc"):
        found[name] = tmp_path / f"{name}.png"
        Image.new("RGBA", (600, 300), (50 * i, 100, 150, 200)).save(found[name])
    found["d"] = tmp_path / "d.jpg"
    found["d"].write_bytes(b"not a picture")
    return found


def page_of(rows: runs.Rows, folder: Path, images: dict[str, Path], **options: object) -> str:
    run = open_run(runs.write(folder / "run", rows))
    write_cluster_page(run, folder / "page.html", images, **options)  # type: ignore[arg-type]
    return (folder / "page.html").read_text("utf-8")


def test_members_stand_with_pictures_and_strengths(tmp_path: Path, images: dict[str, Path]) -> None:
    page = Elements(page_of(sample(), tmp_path, images))
    assert len(page.all("section")) == 2  # f is alone
    assert [figure["class"] for figure in page.all("figure")] == [
        "head",
        "member",
        "member",
        "head",
        "member",
    ]
    pictures = page.all("image")
    assert len(pictures) == 3
    raw = base64.b64decode((pictures[0]["href"] or "").removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(raw)) as picture:
        assert (picture.format, max(picture.size)) == ("JPEG", SIZE)
    for text in (
        "a picture that cannot be read",
        "no picture",
        "words 9/10 = 0.900",
        "1 item alone",
        "3 items",
    ):
        assert text in page.text
    assert runs.FENCE.describe() in page.text


def test_the_page_loads_nothing(tmp_path: Path, images: dict[str, Path]) -> None:
    text = page_of(sample(), tmp_path, images)
    page = Elements(text)
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    assert all((image["href"] or "").startswith("data:image/jpeg;base64,") for image in page.all("image"))
    assert not re.search(r"https?:|url\(|@import", text)
    assert "default-src 'none'" in (page.all("meta")[1]["content"] or "")


def test_hostile_ids_are_text(tmp_path: Path) -> None:
    rows = sample()
    rows["items"] += [item(EVIL), item(EVIL + "2")]
    rows["clusters"] += [head(EVIL), member(EVIL + "2", EVIL)]
    text = page_of(rows, tmp_path, {})
    page = Elements(text)
    assert not page.all("script") and not page.all("img") and not page.all("image")
    assert not any(name.startswith("on") for _, attributes in page.found for name in attributes)
    assert "\u202e" not in text and "\x1b" not in text
    assert "<script>alert(1)</script>" in page.text  # shown as what it is


def test_largest_first_and_no_more_than_the_limit(tmp_path: Path) -> None:
    rows = sample()
    names = [f"m{i:03d}" for i in range(MEMBERS + 10)]
    rows["items"] += [item(name) for name in ["z", *names]]
    rows["clusters"] += [head("z"), *(member(name, "z", 10, 10) for name in names)]
    page = Elements(page_of(rows, tmp_path, {}, limit=2))
    assert len(page.all("section")) == 2 and len(page.all("figure")) == MEMBERS + 3
    assert f"{MEMBERS + 11} items, 11 of them not shown" in page.text
    assert "2 of 3 clusters of more than one item shown" in page.text


def test_verdict_and_evaluation(tmp_path: Path) -> None:
    other = sample()
    other["clusters"][4] = head("e")
    runs.write(tmp_path / "other", other)
    run = open_run(runs.write(tmp_path / "one", sample()))
    same, different = diff(run, run), diff(run, open_run(tmp_path / "other"))
    evaluation = Evaluation(Score(980, 1000, 975), Score(0, 1000, 0), 1000, 0, 0, (), (), (), None)
    for name, verdict, text in (
        ("s", same, "Parity: all 39 rows are equal"),
        ("d", different, "1 difference"),
    ):
        write_cluster_page(run, tmp_path / f"{name}.html", {}, verdict, evaluation)
        page = Elements((tmp_path / f"{name}.html").read_text("utf-8"))
        assert text in page.text and "0.9949" in page.text and "–" in page.text
        assert [p["class"] for p in page.all("p")][1] == (
            "verdict parity" if name == "s" else "verdict differences"
        )


def test_a_run_without_clusters(tmp_path: Path) -> None:
    page = Elements(page_of({name: [] for name in sample()}, tmp_path, {}))
    assert "0 of 0 clusters" in page.text and not page.all("section")


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8\xff\xe0", b"GIF89a", b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
)
def test_bad_pictures_give_no_thumbnail(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.jpg"
    file.write_bytes(content)
    assert thumbnail(file) is None
    assert thumbnail(tmp_path / "nowhere.jpg") is None


def test_thumbnails_stand_upright_and_bombs_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    Image.new("RGB", (400, 200)).save(file, exif=exif)
    small = thumbnail(file)
    assert small
    with Image.open(io.BytesIO(base64.b64decode(small.uri.split(",")[1]))) as picture:
        assert picture.size == (small.width, small.height) == (SIZE // 2, SIZE)
    bomb = tmp_path / "bomb.png"
    Image.new("1", (30_000, 30_000)).save(bomb)
    assert thumbnail(bomb) is None
