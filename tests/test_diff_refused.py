"""Runs that are not compared: a sentence says what is wrong, and nothing is told of their rows."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from parity.diff import Options, diff
from shared.errors import CrossfadeError
from shared.fence import Fence
from shared.run import open_run, read_back
from shared.spec import from_dict, load, to_dict
from tests import runs
from tests.runs import edge, sample


class TestRefusals:
    def refuse(self, *texts: str, verify: bool = False) -> None:
        with pytest.raises(CrossfadeError) as caught:
            diff(open_run("a"), open_run("b"), Options(verify=verify))
        assert caught.value.exit_status == 2
        for text in texts:
            assert text in str(caught.value)

    @pytest.fixture(autouse=True)
    def two_runs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        runs.write(Path("a"), sample())
        runs.write(Path("b"), sample())

    def other(self, **changes: object) -> None:
        runs.write(Path("other"), sample(), **changes)  # type: ignore[arg-type]
        Path("b").rename("old")
        Path("other").rename("b")

    def edit(self, change: object) -> None:
        manifest = json.loads(Path("b/manifest.json").read_bytes())
        change(manifest)  # type: ignore[operator]
        Path("b/manifest.json").write_text(json.dumps(manifest))

    def test_unequal_contracts(self) -> None:
        data = to_dict(load("text"))
        data["channels"][0]["match"]["threshold"] = "0.8"
        self.other(spec=from_dict(data))
        self.refuse("a has contract", "b has", "channels[0].match.threshold: '7/10' against '4/5'")

    def test_unequal_fences(self) -> None:
        self.other(source={"fence": Fence.at("cluster-1", "topic-1", {0: 40, 1: 51}).to_json()})
        self.refuse(
            "different fences", "0:40, 1:50", "0:40, 1:51", "they differ in partition 1 (50 against 51)"
        )

    def test_a_topic_made_again_is_another_log(self) -> None:
        self.other(source={"fence": Fence.at("cluster-1", "topic-2", {0: 40, 1: 50}).to_json()})
        self.refuse("they differ in topic topic-1 against topic-2")

    def test_a_fence_against_files(self) -> None:
        self.other(source={"event_set": "12:ab"})
        self.refuse("a stands at a fence and b was made from files")

    def test_unequal_event_sets(self) -> None:
        for name in ("a", "b"):
            runs.write(Path(f"files-{name}"), sample(), source={"event_set": name * 8})
            Path(name).rename(f"old-{name}")
            Path(f"files-{name}").rename(name)
        self.refuse("different sets of events (aaaaaaaa against bbbbbbbb)")

    def test_equal_event_sets_align(self) -> None:
        for name in ("a", "b"):
            runs.write(Path(f"files-{name}"), sample(), source={"event_set": "12:ab"})
        result = diff(open_run("files-a"), open_run("files-b"))
        assert result.parity and result.aligned_by == {"event_set": "12:ab"}

    def test_a_truncated_file(self) -> None:
        file = Path("b/edges/part-0.parquet")
        file.write_bytes(file.read_bytes()[:-1])
        self.refuse("b/edges/part-0.parquet has", "by the manifest")

    def test_a_missing_file(self) -> None:
        Path("b/clusters/part-0.parquet").unlink()
        self.refuse("b/clusters/part-0.parquet is missing")

    def test_a_damaged_footer(self) -> None:
        file = Path("b/edges/part-0.parquet")
        file.write_bytes(file.read_bytes()[:-30] + bytes(30))
        self.refuse("b/edges/part-0.parquet is no Parquet file")

    def test_a_flipped_byte_is_found_by_verify(self) -> None:
        file = Path("b/edges/part-0.parquet")
        data = bytearray(file.read_bytes())
        data[50] ^= 1
        file.write_bytes(data)
        assert diff(open_run("a"), open_run("b")).parity  # digests alone cannot see it
        self.refuse("b/edges/part-0.parquet does not have the manifest's checksum", verify=True)

    def test_a_tampered_digest_is_found_without_verify(self) -> None:
        """The shard then differs, so its rows are read, and they are not what the manifest says."""

        def tamper(manifest: runs.Rows) -> None:
            shards = manifest["stages"]["edges"]["digests"]  # type: ignore[call-overload]
            shard = next(iter(shards))
            shards[shard] = shards[shard][:-1] + ("0" if shards[shard][-1] != "0" else "1")

        self.edit(tamper)
        self.refuse("b/manifest.json does not have the digests of the rows of edges")

    def test_rows_tampered_together_with_checksums_are_found_by_verify(self) -> None:
        """The digests say that both runs are equal; only reading the rows shows that they are not."""
        rows = sample()
        rows["edges"].remove(edge("d", "e"))
        rows["edges"].append(edge("a", "f"))
        runs.write(Path("forged"), rows)
        forged = json.loads(Path("forged/manifest.json").read_bytes())["stages"]["edges"]["files"]
        Path("forged/edges/part-0.parquet").rename("b/edges/part-0.parquet")
        self.edit(lambda manifest: manifest["stages"]["edges"].update(files=forged))
        assert diff(open_run("a"), open_run("b")).parity
        self.refuse("b/manifest.json does not have the digests of the rows of edges", verify=True)

    def test_row_counts_that_do_not_add_up(self) -> None:
        self.edit(lambda manifest: manifest["stages"]["items"].update(rows=8))
        self.refuse("b: the manifest gives items 8 rows, its files 7 and its digests 7")

    def test_a_footer_with_other_rows(self) -> None:
        self.edit(lambda manifest: manifest["stages"]["items"]["files"][0].update(rows=8))
        self.refuse("b/items/part-0.parquet has 7 rows, by the manifest 8")

    @pytest.mark.parametrize("digest", ["2:" + "0" * 32, "1", None, "-1:" + "0" * 32])
    def test_digests_that_are_none(self, digest: str | None) -> None:
        def damage(manifest: runs.Rows) -> None:
            shards = manifest["stages"]["items"]["digests"]  # type: ignore[call-overload]
            shards[next(iter(shards))] = digest

        self.edit(damage)
        self.refuse("its digests 8" if digest and digest[0] == "2" else "is no digest of items")

    def test_a_contract_id_that_is_not_its_contracts(self) -> None:
        self.edit(lambda manifest: manifest["contract"].update(semantics=99))
        self.refuse("contract_id is not the id of its contract")

    def test_rows_in_the_wrong_shard(self) -> None:
        import pyarrow.parquet as pq

        file = Path("b/items/part-0.parquet")
        table = pq.read_table(file)
        pq.write_table(table.set_column(0, table.schema.field(0), pa.array([5] * 7, pa.int32())), file)
        from shared.run import ITEMS, read_back, stage_entry

        entry = stage_entry(Path("b"), ITEMS, read_back(Path("b"), ITEMS))
        self.edit(lambda manifest: manifest["stages"].update(items=entry))
        self.refuse("rows of items stand in a shard that is not their id's", verify=True)

    @pytest.mark.parametrize("part", ["stages", "contract", "counts", "input"])
    def test_a_manifest_without_a_part(self, part: str) -> None:
        self.edit(lambda manifest: manifest.pop(part))
        self.refuse(f"b/manifest.json: {part} is missing; write the run again")

    @pytest.mark.parametrize(
        "path", ["../a/edges/part-0.parquet", "/etc/passwd", "items/part-0.parquet", "edges/\0"]
    )
    def test_a_manifest_that_lists_files_elsewhere(self, path: str) -> None:
        self.edit(lambda manifest: manifest["stages"]["edges"]["files"][0].update(path=path))
        self.refuse("not a file of its own in edges/")

    def test_rows_without_a_value(self) -> None:
        import pyarrow.parquet as pq

        from shared.run import EDGES, stage_entry

        file = Path("b/edges/part-0.parquet")
        table = pq.read_table(file)
        heads = [None, *table.column("earlier").to_pylist()[1:]]
        pq.write_table(table.set_column(1, pa.field("earlier", pa.string()), pa.array(heads)), file)
        digests = json.loads(Path("a/manifest.json").read_bytes())["stages"]["edges"]["digests"]
        entry = stage_entry(Path("b"), EDGES, read_back(Path("b"), EDGES)) | {"digests": digests}
        self.edit(lambda manifest: manifest["stages"].update(edges=entry))
        self.refuse("edges has rows without earlier", verify=True)

    def test_a_file_of_another_contract(self) -> None:
        import pyarrow.parquet as pq

        file = Path("b/edges/part-0.parquet")
        table = pq.read_table(file)
        pq.write_table(table.replace_schema_metadata({"crossfade.contract_id": "0" * 32}), file)
        self.edit(lambda manifest: manifest["stages"]["edges"]["files"][0].update(bytes=file.stat().st_size))
        self.refuse("b/edges/part-0.parquet is of another contract than its manifest's")

    def test_no_run_at_all(self) -> None:
        Path("b/manifest.json").unlink()
        self.refuse("b is not a finished run: it has no manifest.json")

    def test_a_format_from_the_future(self) -> None:
        self.edit(lambda manifest: manifest.update(format=3))
        self.refuse("has run format 3; this version of crossfade reads format 2")
