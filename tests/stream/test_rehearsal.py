"""A/A runs: the stream in orders of its own says what the oracle says, and so the same each time."""

from contextlib import closing
from pathlib import Path

import pytest

from shared.errors import SourceError
from stream.rehearsal import rehearse
from stream.stores import open_store
from tests.batch.running import all_digests, make_lake
from tests.engines import read_state, spec_of
from tests.histories import random_history
from tests.oracle import expect


@pytest.mark.parametrize("seed", [7, 53, 118, 1160])
def test_every_order_gives_the_oracles_answer(seed: int, tmp_path: Path) -> None:
    history = random_history(seed)
    expected, spec = expect(history.spec, history.records), spec_of(history.spec)
    lake = make_lake(tmp_path / "lake", history.records)
    runs = []
    for order in range(4):
        state = tmp_path / f"state-{order}"
        runs.append(rehearse(spec, lake, state, tmp_path / f"run-{order}", order, most_rows=4))
        with closing(open_store(state)) as store:
            found = read_state(store, spec)
        assert (found.items, found.buckets, found.candidates) == (
            expected.items,
            expected.buckets,
            expected.candidates,
        )
        assert (found.edges, found.clusters, found.dead) == (expected.edges, expected.clusters, expected.dead)
    assert len({str(all_digests(run)) for run in runs}) == 1
    assert runs[0].fence is not None
    read = {run.manifest["counts"]["records"] for run in runs}
    assert len(read) > 1 and min(read) >= len(history.records)  # some came twice, or orders would be one


def test_no_lake(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is no lake; make one with `crossfade archive`"):
        rehearse(spec_of(random_history(7).spec), tmp_path, tmp_path / "s", tmp_path / "r", 1)
