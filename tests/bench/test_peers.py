"""Peers and look-alikes, held against what the pictures themselves say."""

from pathlib import Path

import imagehash
import numpy as np
import pdqhash
from PIL import Image

from bench.accuracy.lookalikes import LookAlike, look_alikes
from bench.accuracy.peers import peers
from bench.accuracy.scoring import score
from shared.spec import load
from tests.bench.conftest import Given
from tests.images import blurred, encode, scene


def test_peers_answer_by_the_distance_of_their_hashes(given: Given) -> None:
    protocol, files, _ = given
    found = {peer.name: peer for peer in peers(protocol, files)}
    assert {"pHash <= 10", "PDQ <= 31", "PDQ <= 50"} <= found.keys()
    images = [Image.open(file).convert("RGB") for file in files]
    phash = [imagehash.phash(image) for image in images]
    pdq = [pdqhash.compute(np.asarray(image))[0] for image in images]
    size = len(protocol.database)
    for row in range(0, len(protocol.queries), 7):
        for shown in range(size):
            distance = phash[size + row] - phash[shown]
            assert found["pHash <= 10"].answers[row, shown] == (distance <= 10)
            bits = int((pdq[size + row] != pdq[shown]).sum())
            for limit in (31, 50):
                assert found[f"PDQ <= {limit}"].answers[row, shown] == (bits <= limit)
    (fitted,) = (peer for peer in found.values() if peer.fitted)
    assert score(protocol, fitted.answers).whole.f1 >= score(protocol, found["pHash <= 10"].answers).whole.f1


def test_look_alikes_are_counted_by_their_label(tmp_path: Path) -> None:
    pictures = {"a.png": scene(1), "b.png": blurred(scene(1)), "c.png": scene(2), "d.png": scene(3)}
    for name, pixels in pictures.items():
        (tmp_path / name).write_bytes(encode(pixels))
    rows = ["a\tb\tthumb16_corr\tlabel", "a.png\tb.png\t1.0\tnear_dup"]
    rows += ["c.png\td.png\t0.9\tdifferent_item", "a.png\tc.png\t0.9\tdifferent_item"]
    (tmp_path / "lookalike_pairs.tsv").write_text("\n".join(rows) + "\n")
    found = look_alikes(load("photos-small"), tmp_path)
    assert (found["near_dup"].pairs, found["near_dup"].candidates) == (1, 1)
    (match,) = found["near_dup"].matches
    assert match == LookAlike("a.png", "b.png", "pdq", match.numerator, 256) and match.numerator > 240
    assert (found["different_item"].pairs, found["different_item"].matches) == (2, [])
    assert look_alikes(load("photos-small"), tmp_path / "nowhere") == {}
