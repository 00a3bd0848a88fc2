"""Laws that hold in every history, and what the random histories promise."""

import json
import random
from collections import Counter

from hypothesis import given, settings

from tests.hand_made import event, log, make_spec
from tests.histories import (
    MALFORMED,
    PAYLOAD_BYTES,
    History,
    arrival_orders,
    histories,
    packed_histories,
    random_history,
    union,
)
from tests.oracle import Expected, expect

# --- Laws, on random histories


def test_the_order_of_records_does_not_matter_nor_do_those_read_twice() -> None:
    for seed in range(100):
        history = random_history(seed)
        records = list(history.records) * 2
        random.Random(seed).shuffle(records)
        assert expect(history.spec, records) == expect(history.spec, history.records)


@settings(max_examples=100, deadline=None)
@given(histories())
def test_what_holds_in_every_history(history: History) -> None:
    expected = expect(history.spec, history.records)
    indexed = {x for x, item in expected.items.items() if item["status"] in ("ok", "no_features")}
    assert set(expected.clusters) == indexed
    priority = {
        x: (expected.items[x]["effective_time"], expected.items[x]["version_time"], x.encode())
        for x in indexed
    }
    assert all(priority[earlier] < priority[later] for earlier, later in expected.edges)
    for x, (head, channel, numerator, denominator) in expected.clusters.items():
        assert expected.clusters[head] == (head, "", 0, 0) and priority[head] <= priority[x]
        if head != x and history.spec["clusters"]["rule"] == "heads":
            strength = channel, numerator, denominator
            assert channel and 0 < numerator <= denominator
            assert expected.edges.get((head, x), strength) == strength
    assert not set(expected.dead) & {(item["partition"], item["offset"]) for item in expected.items.values()}


def test_malformed_records_are_dead() -> None:
    records = log(*((0, value) for value in MALFORMED))
    assert len(expect(make_spec(), records).dead) == len(MALFORMED)


# --- The histories keep their promises


def test_seeded_histories_are_reproducible() -> None:
    assert random_history(7) == random_history(7) != random_history(8)
    assert packed_histories(7, 3) == packed_histories(7, 3)


def test_offsets_are_contiguous_and_arrivals_keep_them_in_order() -> None:
    for seed in range(50):
        history = random_history(seed)
        for order in arrival_orders(history, seed):
            flat = [record for batch in order for record in batch]
            assert sorted(flat, key=lambda r: r[:2]) == sorted(history.records, key=lambda r: r[:2])
            assert all(order)
            for partition in range(3):
                offsets = [record[1] for record in flat if record[0] == partition]
                assert offsets == list(range(len(offsets)))


def test_packed_histories_make_one_log_and_share_no_id() -> None:
    for seed in range(5):
        spec, packed = packed_histories(seed, 50)
        together = union(packed)
        assert together.spec == spec and "retention_ms" not in spec["times"]
        for partition in range(3):
            offsets = [record[1] for record in together.records if record[0] == partition]
            assert offsets == list(range(len(offsets)))
        alone = [expect(spec, history.records) for history in packed]
        whole = expect(spec, together.records)
        assert sum(len(expected.items) for expected in alone) == len(whole.items)


def test_histories_are_rich_enough() -> None:
    """Least shares of 200 histories in which each thing that an engine may get wrong happens."""
    seen: Counter[str] = Counter()
    for seed in range(200):
        history = random_history(seed)
        spec, expected = history.spec, expect(history.spec, history.records)
        seen.update(kind for kind, there in kinds(history, expected).items() if there)
        seen[f"rule {spec['clusters']['rule']}"] += 1
        seen.update("limit " + name for name in spec["times"])
        seen.update({f"rule {channel['match']['rule']}" for channel in spec["channels"]})
        seen[f"{len(spec['channels'])} channels"] += 1
    least = {
        "edges": 120,
        "edge in a later channel": 15,
        "cluster of two": 120,
        "cluster of four": 60,
        "edge between clusters": 12,
        "head by head check": 8,
        "left out": 50,
        "dead": 120,
        "deleted": 100,
        "no features": 25,
        "payload_invalid": 50,
        "payload_too_large": 8,
        "repeat": 120,
        "late": 120,
        "equal priority times": 80,
        "clamped": 30,
        "raised": 30,
        "expired": 15,
        "append times out of order": 80,
        "no append times": 2,
        "rule heads": 130,
        "rule components": 20,
        "limit max_skew_ms": 80,
        "limit max_lateness_ms": 60,
        "limit retention_ms": 40,
        "rule agreement": 80,
        "1 channels": 40,
        "2 channels": 40,
        "3 channels": 40,
    }
    assert {kind: seen[kind] for kind in least if seen[kind] < least[kind]} == {}, seen


def kinds(history: History, expected: Expected) -> dict[str, bool]:
    """What happens in a history."""
    items, clusters, edges = expected.items.values(), expected.clusters, expected.edges
    sizes = Counter(head for head, *_ in clusters.values())
    statuses = {item["status"] for item in items}
    appends = [record[2] for record in history.records]
    alive = [
        json.loads(record[3]) for record in history.records if record[:2] not in expected.dead and record[3]
    ]
    identities = [(e["id"], e["op"], e["event_time"], str(e.get("payload"))) for e in alive]
    times = [e["event_time"] for e in alive]
    heads_rule = history.spec["clusters"]["rule"] == "heads"
    priorities = Counter((item["effective_time"], item["version_time"]) for item in items)
    return {
        "edges": bool(edges),
        "edge in a later channel": any(edge[0] != "channel-0" for edge in edges.values()),
        "cluster of two": any(size > 1 for size in sizes.values()),
        "cluster of four": any(size > 3 for size in sizes.values()),
        "edge between clusters": any(clusters[x][0] != clusters[y][0] for x, y in edges),
        "head by head check": heads_rule
        and any(c[1] and (c[0], x) not in edges for x, c in clusters.items()),
        "left out": bool(expected.left_out),
        "dead": bool(expected.dead),
        "deleted": "deleted" in statuses,
        "no features": "no_features" in statuses,
        "payload_invalid": "payload_invalid" in statuses,
        "payload_too_large": "payload_too_large" in statuses,
        "repeat": len(set(identities)) < len(identities),
        "late": any(time < max(times[:i], default=time) for i, time in enumerate(times)),
        "equal priority times": any(count > 1 for count in priorities.values()),
        "clamped": any(item["version_time"] < item["event_time"] for item in items),
        "raised": any(item["effective_time"] > item["version_time"] for item in items),
        "expired": len(expected.items) < len({e["id"] for e in alive}),
        "append times out of order": appends != sorted(appends),
        "no append times": -1 in appends,
    }


def test_the_limit_on_payloads_is_met_exactly() -> None:
    spec = random_history(0).spec
    texts = "é" * (PAYLOAD_BYTES // 2), "é" * (PAYLOAD_BYTES // 2) + "x"
    statuses = [expect(spec, log((1000, event("x", 1000, text)))).items["x"]["status"] for text in texts]
    assert statuses == ["ok", "payload_too_large"]
