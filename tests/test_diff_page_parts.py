"""What the page of a diff is made from: distributions, members, payloads, points."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.data import astronaut

from parity.diff import diff
from parity.forge import edit_rows
from parity.report.distributions import duration, lags, read_items
from parity.report.gather import gather
from parity.report.histogram import MOST_BINS, Bins, by_powers, even, ranges, trimmed
from parity.report.material import Material
from parity.report.members import MEMBERS, choose
from parity.report.page import diff_page
from parity.report.payloads import EXCERPT, PICTURES, Payload, Record, read_payloads
from shared.errors import SourceError
from shared.run import Run, open_run
from shared.spec import load
from tests import runs
from tests.images import encode, scene
from tests.runs import head, item, member, sample
from tests.test_diff_page import Elements, check_harmless, texts_lake

counters = st.dictionaries(st.integers(0, 10**6), st.integers(1, 10**6)).map(Counter)


class TestHistogram:
    @given(counters, counters)
    def test_every_value_is_in_the_bin_of_its_edges(self, a: Counter[int], b: Counter[int]) -> None:
        bins = even(a, b)
        assert len(bins.a) == len(bins.b) <= MOST_BINS
        assert len({high - low for low, high in pairwise(bins.edges)}) <= 1
        self.check(bins, a, b)

    @given(counters.map(lambda c: Counter({value + 1: n for value, n in c.items()})))
    def test_powers(self, a: Counter[int]) -> None:
        bins = by_powers(a, Counter({1: 1}))
        assert all(2 * low == high for low, high in pairwise(bins.edges))
        self.check(bins, a, Counter({1: 1}))

    def check(self, bins: Bins, *sides: Counter[int]) -> None:
        for counts, side in zip((bins.a, bins.b), sides, strict=True):
            spans = zip(pairwise(bins.edges), counts, strict=True)
            assert all(n == sum(side[v] for v in side if low <= v < high) for (low, high), n in spans)
            assert sum(counts) == side.total()

    @given(st.lists(st.integers(0, 2), max_size=8))
    def test_trimmed(self, counts: list[int]) -> None:
        bins = trimmed(Bins(tuple(range(len(counts) + 1)), tuple(counts), (0,) * len(counts)))
        assert sum(bins.a) == sum(counts)
        assert not bins.a or (bins.a[0] and bins.a[-1] and len(bins.edges) == len(bins.a) + 1)
        assert all(counts[edge] == n for edge, n in zip(bins.edges, bins.a, strict=False))

    def test_ranges(self) -> None:
        assert ranges((1, 2, 4, 2048)) == ("1", "2–3", "4–2,047")


class TestLags:
    def run(self, path: Path, *lags: int | None) -> Run:
        rows = [
            item(f"i{i}", 5000, append_time=-1 if lag is None else 5000 + lag) for i, lag in enumerate(lags)
        ]
        return open_run(runs.write(path, {"items": rows}))

    def test_by_ladder(self, tmp_path: Path) -> None:
        a = self.run(tmp_path / "a", -1, 0, 999, 1000, 59_999, 60_000, 86_400_000, None)
        found = lags(read_items(a), read_items(self.run(tmp_path / "b", 0)))
        bins = {found.bin_name(i): (n, found.b[i]) for i, n in enumerate(found.a)}
        assert {name: counts for name, counts in bins.items() if any(counts)} == {
            "below 0": (1, 0),
            "0 to 1 s": (2, 1),
            "1 s to 10 s": (1, 0),
            "10 s to 1 min": (1, 0),
            "1 min to 10 min": (1, 0),
            "1 d to 7 d": (1, 0),
        }
        assert found.note == "Left out: 1 item of A without an append time."

    def test_in_one_bin_they_are_a_sentence(self, tmp_path: Path) -> None:
        a, b = self.run(tmp_path / "a", 2500, 4000), self.run(tmp_path / "b", 9100)
        found = lags(read_items(a), read_items(b))
        assert (found.a, found.note) == ((), "All came 2.5 s to 9.1 s after their event time.")

    def test_without_append_times(self, tmp_path: Path) -> None:
        side = read_items(self.run(tmp_path / "a", None, None))
        assert lags(side, side).note.startswith("No append time is known")

    @pytest.mark.parametrize(
        ("ms", "text"), [(0, "0 ms"), (-1500, "-1.5 s"), (90_000, "1.5 min"), (10**11, "1,157 days")]
    )
    def test_duration(self, ms: int, text: str) -> None:
        assert duration(ms) == text


def test_members_of_a_large_cluster_are_those_that_tell(tmp_path: Path) -> None:
    """Whatever place they have in the files: the head, what moved, then the strongest."""
    names = [f"m{i:04d}" for i in range(40 * MEMBERS)]
    moved = names[7::97]
    rows: runs.Rows = {"items": [item(name) for name in ("z", *names)]}
    strength = {name: 7000 + i for i, name in enumerate(names)}
    rows["clusters"] = [head("z"), *(member(name, "z", strength[name], 10_000) for name in names)]
    other = rows | {"clusters": [head(r["id"]) if r["id"] in moved else r for r in rows["clusters"]]}
    a, b = (open_run(runs.write(tmp_path / name, of)) for name, of in (("a", rows), ("b", other)))
    result = diff(a, b)
    assert result.clusters
    of_a, of_b = choose(a, b, result.clusters.regroupings)
    strongest = [name for name in reversed(names) if name not in moved]
    shown = [one.id for one in of_a.members["z"]]
    assert shown == ["z", *sorted(moved, reverse=True), *strongest][:MEMBERS]
    assert [one.id for one in of_b.members["z"]] == ["z", *strongest][:MEMBERS]
    assert of_a.elsewhere == {name: name if name in moved else "z" for name in shown}


class TestPayloads:
    """A lake's records by place; id, digest and place must be the run's."""

    LIMIT = 1_000_000

    def look(self, folder: Path, payload: Mapping[str, Any] | None, **other: Any) -> Payload:
        body = {"id": "x", "op": "upsert" if payload else "delete", "event_time": 1, "payload": payload}
        lake = texts_lake([(3, json.dumps(body).encode())], folder / "lake")
        record = Record("x", "ok", other.pop("digest", bytes(32)), 0, 3)
        return read_payloads(lake, [replace(record, **other)], self.LIMIT)[replace(record, **other)]

    def picture(self, file: Path, data: bytes | None = None, declared: str = "", **other: Any) -> Payload:
        if data is not None:
            file.write_bytes(data)
        digest = declared or hashlib.sha256(data or b"").hexdigest()
        uri = {"uri": other.pop("uri", f"file://{file}"), "sha256": digest}
        return self.look(file.parent, uri, digest=bytes.fromhex(digest), **other)

    def test_a_text_is_cut(self, tmp_path: Path) -> None:
        text = "word\n\t\u202e" + "é" * 1000
        found = self.look(tmp_path, {"text": text}, digest=hashlib.sha256(text.encode()).digest())
        assert len(found.excerpt) == EXCERPT + 1 and found.excerpt.startswith("word \u202eé")

    def test_a_picture(self, tmp_path: Path) -> None:
        found = self.picture(tmp_path / "ü #1%20.png", encode(scene(1)))
        assert found.picture and found.picture.uri.startswith("data:image/jpeg;base64,") and not found.lacks

    def test_one_that_has_changed_is_not_shown(self, tmp_path: Path) -> None:
        found = self.picture(tmp_path / "x.png", encode(scene(1)), "ab" * 32)
        assert found == Payload(lacks="its picture has changed since")

    def test_one_that_is_no_picture(self, tmp_path: Path) -> None:
        postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"  # for which Pillow runs a program
        assert self.picture(tmp_path / "x.eps", postscript).lacks == "a picture that cannot be shown"

    def test_one_that_was_too_large_is_not_read_whole(self, tmp_path: Path) -> None:
        assert (
            self.picture(tmp_path / "x.png", bytes(self.LIMIT + 2)).lacks == "its picture has changed since"
        )

    def test_only_files_that_may_be_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for uri in ("file:///proc/self/environ", "http://evil.example/x.png", "s3://bucket/x.png", "x.png"):
            found = self.picture(tmp_path / "x.png", None, "ab" * 32, uri=uri)
            assert found.lacks == "its picture is no local file"
        data = encode(scene(1))
        monkeypatch.setenv("CROSSFADE_URI_SCHEMES", "s3")
        assert self.picture(tmp_path / "y.png", data).lacks == "its picture is no local file"

    def test_what_is_not_there_and_what_never_ends(self, tmp_path: Path) -> None:
        assert self.picture(tmp_path / "x.png", None, "ab" * 32).lacks == "its picture is not there now"
        os.mkfifo(tmp_path / "pipe")
        assert self.picture(tmp_path / "pipe", None, "ab" * 32).lacks == "its picture is not there now"

    def test_only_what_was_compared(self, tmp_path: Path) -> None:
        data = encode(scene(1))
        assert self.picture(tmp_path / "x.png", data, status="image_invalid").lacks == "status image_invalid"
        for other in ({"id": "y"}, {"offset": 4}, {"partition": 1}, {"offset": 1000}):
            found = self.picture(tmp_path / "x.png", data, **other)
            assert found.lacks == "the lake has no such record"

    def test_vectors_and_deletes(self, tmp_path: Path) -> None:
        digest = hashlib.sha256(np.array([1.0, 2.0]).tobytes()).digest()
        assert self.look(tmp_path, {"vector": [1, 2]}, digest=digest).lacks == "a vector of 2 numbers"
        assert self.look(tmp_path, None).lacks == "no payload"

    def test_a_page_has_no_end_of_pictures(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert PICTURES == 500
        monkeypatch.setattr("parity.report.payloads.PICTURES", 1)
        data = encode(scene(1))
        (tmp_path / "x.png").write_bytes(data)
        digest = hashlib.sha256(data)
        uri = {"uri": (tmp_path / "x.png").as_uri(), "sha256": digest.hexdigest()}
        values = [
            json.dumps({"id": name, "op": "upsert", "event_time": 1, "payload": uri}).encode()
            for name in "ab"
        ]
        lake = texts_lake(list(enumerate(values)), tmp_path / "lake")
        wanted = [Record(name, "ok", digest.digest(), 0, i) for i, name in enumerate("ab")]
        first, second = read_payloads(lake, wanted, self.LIMIT).values()
        assert first.picture and second.lacks.startswith("picture left out")

    def test_a_damaged_lake(self, tmp_path: Path) -> None:
        lake = texts_lake([(3, b"{}")], tmp_path / "lake")
        next(lake.rglob("*.parquet")).write_bytes(b"PAR1")
        with pytest.raises(SourceError, match="which the lake names, cannot be read"):
            read_payloads(lake, [Record("x", "ok", bytes(32), 0, 3)], self.LIMIT)


class TestPoints:
    """Two pictures of one scene, matched by words in A alone."""

    @pytest.fixture
    def made(self, tmp_path: Path) -> tuple[Path, Path, Path]:
        spec, whole = load("photos-small"), np.asarray(astronaut())
        pictures = {"whole": whole, "cropped": whole[60:360, 100:500]}
        rows: runs.Rows = {name: [] for name in sample()}
        values = []
        for place, (name, pixels) in enumerate(pictures.items()):
            data = encode(pixels)
            (tmp_path / f"{name}.png").write_bytes(data)
            digest = hashlib.sha256(data)
            uri = {"uri": (tmp_path / f"{name}.png").as_uri(), "sha256": digest.hexdigest()}
            values.append((place, {"id": name, "op": "upsert", "event_time": place, "payload": uri}))
            rows["items"].append(item(name, place, digest=digest.digest()))
        words = next(channel.extractor for channel in spec.channels if channel.name == "words")
        records = words.extract(list(pictures.values())).records.to_pylist()
        rows["verification"] = [
            {"id": name, "channel": "words", "record": record}
            for name, record in zip(pictures, records, strict=True)
        ]
        match = {"channel": "words", "numerator": 99, "denominator": 1}
        rows["edges"] = [{"earlier": "whole", "later": "cropped"} | match]
        rows["clusters"] = [head("whole"), {"id": "cropped", "head": "whole"} | match]
        other = rows | {"edges": [], "clusters": [head("whole"), head("cropped")]}
        lake = texts_lake([(o, json.dumps(v).encode()) for o, v in values], tmp_path / "lake")
        return runs.write(tmp_path / "a", rows, spec), runs.write(tmp_path / "b", other, spec), lake

    def material(self, made: tuple[Path, Path, Path]) -> Material:
        a, b = open_run(made[0]), open_run(made[1])
        return gather(a, b, diff(a, b), made[2])

    def test_lines_are_drawn_between_the_pictures(self, made: tuple[Path, Path, Path]) -> None:
        (group,) = self.material(made).clusters.groups
        (link,) = group.links
        assert (link.bridge.earlier, link.bridge.id, link.match) == ("whole", "cropped", ("words", 99, 1))
        lines = np.array(link.lines)
        assert len(lines) > 50
        in_whole, in_crop = lines[:, :2] * 512 / 320, lines[:, 2:] * 400 / 320
        assert np.quantile(np.abs(in_whole - in_crop - (100, 60)), 0.9) < 4  # pixels: where it was cropped
        a, b = open_run(made[0]), open_run(made[1])
        page = check_harmless(diff_page(a, b, diff(a, b), made[2]))
        assert len(page.all("image")) == 2  # each once
        assert "Matched in A, not in B: words 99 matched points, 40 of them drawn" in page.text
        assert len([path for path in page.all("path") if (path["class"] or "").startswith("line c")]) == 5

    @pytest.mark.parametrize(
        "damage",
        [
            lambda record: record[:-3],
            lambda record: b"",
            lambda record: bytes(len(record)),
            lambda record: record[:8] + record[16:],
            lambda record: b"\xff\xff\xff\x7f" + record[4:],
        ],
    )
    def test_damaged_records_are_not_drawn(
        self, made: tuple[Path, Path, Path], damage: Callable[[bytes], bytes]
    ) -> None:
        edit_rows(made[0], "verification", lambda rows: rows[0].update(record=damage(rows[0]["record"])))
        (group,) = self.material(made).clusters.groups
        assert group.links[0].lines == () and group.links[0].match
        a, b = open_run(made[0]), open_run(made[1])
        page = check_harmless(diff_page(a, b, diff(a, b), made[2]))
        assert len(page.all("image")) == 2 and "99 matched points" in page.text

    def test_without_a_lake(self, made: tuple[Path, Path, Path]) -> None:
        found = self.material((made[0], made[1], None)).clusters  # type: ignore[arg-type]
        assert found.no_payloads and not found.groups[0].links[0].lines
        a, b = open_run(made[0]), open_run(made[1])
        page = Elements(diff_page(a, b, diff(a, b), None))
        assert not page.all("image") and "Without pictures and texts" in page.text
