"""The naive oracle: docs/semantics.md once more, in plain Python, without a line of shared/.

Clear before fast. Each function states one section of that page; pictures are in tests/oracle_images.py.
Channels with the extractors `text.shingles`, `image.pdq`, `image.words` and `image.word_pairs` are covered;
anything else raises NotImplementedError.
"""

import hashlib
import json
import math
import re
import struct
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import xxhash
from datasketch import MinHash

from tests import oracle_images
from tests.oracle_images import LocalRecord

Record = tuple[int, int, int, bytes | None]  # partition, offset, append time (ms), value
Tokens = frozenset[int]
Signatures = Mapping[tuple[str, str], tuple[int, ...]]  # by id and channel
Trace = tuple[int, int]  # how many, and the sum of their hashes as a signed 64-bit number
Edge = tuple[str, int, int]  # channel, numerator, denominator
Priority = tuple[int, int, bytes]  # effective time, version time, UTF-8 of the id


@dataclass(frozen=True)
class Expected:
    """What every engine must say about a set of records."""

    dead: dict[tuple[int, int], str]  # (partition, offset) -> reason
    items: dict[str, dict[str, Any]]
    signatures: dict[tuple[str, str], tuple[int, ...]]  # (id, channel)
    records: dict[tuple[str, str], bytes]  # verification records by (id, channel)
    buckets: dict[str, Trace]  # the bucket entries of each id that has any
    candidates: dict[str, Trace]  # what each id drew, of those that drew any
    edges: dict[tuple[str, str], Edge]  # (earlier id, later id)
    clusters: dict[str, tuple[str, str, int, int]]  # id -> head, channel, numerator, denominator
    left_out: dict[tuple[str, int, int], int]  # (channel, band, bucket value) -> members not drawn
    watermark: int | None


@dataclass(frozen=True)
class Event:
    """One event, with the record that counts for it."""

    id: str
    op: str
    event_time: int
    digest: str
    kind: str
    data: bytes
    append_time: int
    partition: int
    offset: int


def expect(spec: dict[str, Any], records: Iterable[Record]) -> Expected:
    """Everything `spec` (the parsed TOML) says about the set of `records`, all of them up to the fence.

    Raises ValueError where two records share a position, or where the spec's time limits have no append time.
    """
    by_position: dict[tuple[int, int], Record] = {}
    for record in records:
        if by_position.setdefault(record[:2], record) != record:
            raise ValueError(f"two different records at {record[:2]}")
    dead: dict[tuple[int, int], str] = {}
    parsed: list[Event] = []
    for record in by_position.values():
        found = parse(record)
        if isinstance(found, str):
            dead[record[:2]] = found
        else:
            parsed.append(found)

    times = spec.get("times", {})
    watermark = max((version_time(times, event) for event in parsed), default=None)
    winners = pick_winners(times, distinct_events(parsed), watermark)
    channels = spec["channels"]
    tokens: dict[str, list[Tokens]] = {}  # of the indexed items, one set a channel
    evidence: dict[str, list[Any]] = {}  # what the channels' rules compare; None without features
    items: dict[str, dict[str, Any]] = {}
    for event in winners:
        status, features = judge(spec, event)
        items[event.id] = {
            "op": event.op,
            "event_time": event.event_time,
            "append_time": event.append_time,
            "version_time": version_time(times, event),
            "effective_time": effective_time(times, event),
            "digest": event.digest,
            "partition": event.partition,
            "offset": event.offset,
            "status": status,
        }
        if status in ("ok", "no_features"):
            tokens[event.id] = [own for own, _ in features]
            evidence[event.id] = [compared for _, compared in features]

    priority: dict[str, Priority] = {
        x: (items[x]["effective_time"], items[x]["version_time"], x.encode()) for x in tokens
    }
    order = sorted(tokens, key=priority.__getitem__)
    signatures = {
        (x, channel["name"]): minhash(tokens[x][c], **channel["minhash"])
        for x in order
        for c, channel in enumerate(channels)
        if tokens[x][c]
    }
    records_of = {
        (x, channel["name"]): verification_record(channel, evidence[x][c])
        for x in order
        for c, channel in enumerate(channels)
        if tokens[x][c]
    }
    candidates, entries, left_out = draw(channels, order, signatures)
    edges = {}
    for earlier, later in candidates:
        edge = match(channels, evidence, signatures, earlier, later)
        if edge:
            edges[earlier, later] = edge
    rule = spec.get("clusters", {}).get("rule", "heads")
    if rule == "heads":
        clusters = cluster_by_heads(channels, evidence, signatures, order, edges)
    elif rule == "components":
        clusters = cluster_by_components(order, edges)
    else:
        raise NotImplementedError(f"clusters.rule {rule}")
    buckets = {x: trace(struct.pack("<QQ", *entry) for entry in own) for x, own in entries.items()}
    drawn = defaultdict(list)
    for earlier, later in candidates:
        drawn[later].append(earlier.encode())
    drawn_traces = {later: trace(found) for later, found in drawn.items()}
    return Expected(
        dead, items, signatures, records_of, buckets, drawn_traces, edges, clusters, left_out, watermark
    )


# --- Record and event


def parse(record: Record) -> Event | str:
    """The event of a record, or the reason why it is none."""
    partition, offset, append_time, value = record
    try:
        body = strict_json((value or b"").decode("utf-8"))
    except ValueError:
        return "not_json"
    if not isinstance(body, dict):
        return "not_json"
    if not all(field in body for field in ("id", "op", "event_time")):
        return "missing_field"
    id, op, event_time = body["id"], body["op"], body["event_time"]
    if not isinstance(id, str) or id == "":
        return "id_invalid"
    if len(id.encode()) > 1024:
        return "id_too_long"
    if op not in ("upsert", "delete"):
        return "op_unknown"
    if type(event_time) is not int or abs(event_time) > 2**53:  # type(True) is bool
        return "event_time_invalid"
    kind, data, digest = ("none", b"", "00" * 32) if op == "delete" else read_payload(body.get("payload"))
    return Event(id, op, event_time, digest, kind, data, append_time, partition, offset)


def strict_json(text: str) -> Any:
    """JSON without what only Python takes: NaN, unpaired surrogates, numbers beyond a double, any depth."""
    escapes = re.sub(r"\\\\", "", text)
    escapes = re.sub(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}", "", escapes)
    if re.search(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}", escapes):
        raise ValueError("an unpaired surrogate")
    depth = deepest = 0
    for character in re.sub(r'"(\\.|[^"\\])*"', "", text):
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    if deepest > 1024:
        raise ValueError("too deep")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 2 * deepest)
    try:
        return json.loads(text, parse_int=finite_int, parse_float=finite_float, parse_constant=refuse)
    finally:
        sys.setrecursionlimit(limit)


def finite_float(literal: str) -> float:
    """A number's double. Raises ValueError beyond the greatest."""
    if math.isinf(float(literal)):
        raise ValueError(f"{literal} is beyond a double")
    return float(literal)


def finite_int(literal: str) -> int:
    """An integer, exactly. Raises ValueError beyond the greatest double."""
    finite_float(literal)
    return int(literal)


def refuse(constant: str) -> None:
    """NaN, Infinity and -Infinity are no JSON."""
    raise ValueError(constant)


def read_payload(payload: Any) -> tuple[str, bytes, str]:
    """Kind, bytes and content digest of an upsert's payload."""
    if isinstance(payload, dict) and sum(member in payload for member in ("text", "vector", "uri")) == 1:
        text, vector, uri = payload.get("text"), payload.get("vector"), payload.get("uri")
        if isinstance(text, str):
            return "text", text.encode(), hashlib.sha256(text.encode()).hexdigest()
        if isinstance(vector, list) and all(type(number) in (int, float) for number in vector):
            data = b"".join(struct.pack("<d", number) for number in vector)
            return "vector", data, hashlib.sha256(data).hexdigest()
        sha256 = payload.get("sha256", "")
        if isinstance(uri, str) and isinstance(sha256, str) and re.fullmatch("[0-9a-fA-F]{64}", sha256):
            return "uri", uri.encode(), sha256.lower()
    return "invalid", b"", "ff" * 32


# --- Times and versions


def version_time(times: dict[str, int], event: Event) -> int:
    """The event time, at most the append time + max_skew."""
    if "max_skew_ms" not in times:
        return event.event_time
    return min(event.event_time, append_time_of(event) + times["max_skew_ms"])


def effective_time(times: dict[str, int], event: Event) -> int:
    """The version time, at least the append time - max_lateness."""
    if "max_lateness_ms" not in times:
        return version_time(times, event)
    return max(version_time(times, event), append_time_of(event) - times["max_lateness_ms"])


def append_time_of(event: Event) -> int:
    """The append time, where the spec's limits require one."""
    if event.append_time < 0:
        raise ValueError(f"max_skew_ms and max_lateness_ms require append times; {event.id!r} has none")
    return event.append_time


def distinct_events(parsed: list[Event]) -> list[Event]:
    """One a (id, op, event time, digest): the record with the least append time and position."""
    first: dict[tuple[str, str, int, str], Event] = {}
    for event in sorted(parsed, key=lambda e: (e.append_time, e.partition, e.offset)):
        first.setdefault((event.id, event.op, event.event_time, event.digest), event)
    return list(first.values())


def pick_winners(times: dict[str, int], events: list[Event], watermark: int | None) -> list[Event]:
    """Of the events of each id that count, the greatest version."""
    by_id = defaultdict(list)
    for event in events:
        if "retention_ms" in times:
            assert "max_skew_ms" in times and watermark is not None
            if version_time(times, event) < watermark - times["retention_ms"]:
                continue
        by_id[event.id].append(event)
    return [
        max(versions, key=lambda e: (version_time(times, e), e.op == "delete", e.digest, e.event_time))
        for versions in by_id.values()
    ]


def judge(spec: dict[str, Any], event: Event) -> tuple[str, list[tuple[Tokens, Any]]]:
    """The status of a winner, and in every channel its token set and what the channel's rule compares."""
    if event.op == "delete":
        return "deleted", []
    channels, limits = spec["channels"], spec.get("limits", {})
    is_image = channels[0]["extractor"].startswith("image.")
    if event.kind != ("uri" if is_image else "text"):
        return "payload_invalid", []
    if len(event.data) > limits.get("payload_bytes", 32 * 2**20):
        return "payload_too_large", []
    if is_image:
        picture = oracle_images.load(event.data, event.digest, limits)
        if isinstance(picture, str):
            return picture, []
        features = [oracle_images.extract(channel, picture) for channel in channels]
    else:
        sets = [shingle(channel, event.data.decode()) for channel in channels]
        features = [(tokens, tokens) for tokens in sets]
    return ("ok" if any(tokens for tokens, _ in features) else "no_features"), features


# --- Signatures and buckets


def shingle(channel: dict[str, Any], text: str) -> Tokens:
    """The token set of a text in a channel."""
    if channel["extractor"] != "text.shingles":
        raise NotImplementedError(f"extractor {channel['extractor']}")
    parameters = channel["parameters"]
    nfkc = {"NFKC": True, "none": False}[parameters["normalise"]]
    if nfkc:
        text = unicodedata.normalize("NFKC", text)
    if parameters["casefold"]:
        text = text.casefold()
        if nfkc:
            text = unicodedata.normalize("NFKC", text)
    size = parameters["size"]
    if parameters["unit"] == "word":
        marked = "".join(c if is_word_character(c) else " " for c in text)
        parts = marked.split(" ")
        words = [part for part in parts if part]
        if not words:
            return frozenset()
        shingles = [" ".join(words[i : i + size]) for i in range(max(1, len(words) - size + 1))]
    elif parameters["unit"] == "character":
        collapsed = " ".join(text.split())
        if not collapsed:
            return frozenset()
        shingles = [collapsed[i : i + size] for i in range(max(1, len(collapsed) - size + 1))]
    else:
        raise NotImplementedError(f"unit {parameters['unit']}")
    return frozenset(xxhash.xxh64(s.encode("utf-8"), seed=42).intdigest() for s in shingles)


def is_word_character(character: str) -> bool:
    """\\w of Python's re, or a mark."""
    return bool(re.match(r"\w", character)) or unicodedata.category(character).startswith("M")


@lru_cache(maxsize=100_000)
def minhash(tokens: Tokens, permutations: int, seed: int) -> tuple[int, ...]:
    """The affine32 signature of a token set that is not empty."""
    sketch = MinHash(num_perm=permutations, seed=seed, scheme="affine32", hashfunc=lambda t: t & 0xFFFFFFFF)
    sketch.update_batch(sorted(tokens))
    return tuple(int(value) for value in sketch.digest())


def band_values(channel: dict[str, Any], signature: tuple[int, ...], band: int) -> tuple[int, ...]:
    """The signature values of a band."""
    rows = channel["bands"]["rows"]
    return signature[band * rows : (band + 1) * rows]


def bucket_value(values: tuple[int, ...]) -> int:
    """XXH64, seed 0, of a band's values as little-endian 32-bit integers."""
    return xxhash.xxh64(struct.pack(f"<{len(values)}I", *values), seed=0).intdigest()


# --- Draws and matches


def draw(
    channels: list[dict[str, Any]], order: list[str], signatures: Signatures
) -> tuple[set[tuple[str, str]], dict[str, list[tuple[int, int]]], dict[tuple[str, int, int], int]]:
    """The candidates (earlier, later) over all buckets; of each id its entries (the number of the band among
    all channels' bands, the bucket); and what the draws left out of each bucket."""
    entries: dict[str, list[tuple[int, int]]] = defaultdict(list)
    bands_before = 0
    buckets: dict[tuple[str, int, int], list[str]] = defaultdict(list)
    draws = {}
    for channel in channels:
        name = channel["name"]
        draws[name] = channel["draws"]["first"], channel["draws"]["near"]
        for x in order:
            if (x, name) in signatures:
                for band in range(channel["bands"]["count"]):
                    value = bucket_value(band_values(channel, signatures[x, name], band))
                    buckets[name, band, value].append(x)
                    entries[x].append((bands_before + band, value))
        bands_before += channel["bands"]["count"]
    candidates = set()
    left_out: Counter[tuple[str, int, int]] = Counter()
    for bucket, members in buckets.items():
        first, near = draws[bucket[0]]
        for i, x in enumerate(members):
            drawn = [j for j in range(i) if j < first or j >= i - near]
            candidates |= {(members[j], x) for j in drawn}
            left_out[bucket] += i - len(drawn)
    return candidates, entries, {bucket: count for bucket, count in left_out.items() if count}


def trace(things: Iterable[bytes]) -> Trace:
    """The trace of things, in any order."""
    hashes = [xxhash.xxh64(thing, seed=0).intdigest() for thing in things]
    total = sum(hashes) % 2**64
    return len(hashes), total - 2**64 if total >= 2**63 else total


def verification_record(channel: dict[str, Any], compared: Any) -> bytes:
    """The bytes that engines keep of what a channel's rule compares."""
    rule = channel["match"]["rule"]
    if rule == "jaccard":
        return struct.pack(f"<{len(compared)}Q", *sorted(compared))
    if rule == "hamming":
        return bytes(int("".join(map(str, compared[i : i + 8])), 2) for i in range(0, len(compared), 8))
    if rule == "inliers":
        numbers = LocalRecord.numbers(compared)
        return struct.pack(f"<{len(numbers)}Q", *numbers)
    return b""


def match(
    channels: list[dict[str, Any]],
    evidence: dict[str, list[Any]],
    signatures: Signatures,
    x: str,
    y: str,
) -> Edge | None:
    """The first channel that accepts the pair, and its measure."""
    for c, channel in enumerate(channels):
        name, rule = channel["name"], channel["match"]
        one, other = evidence[x][c], evidence[y][c]
        if not one or not other:
            continue
        p, q = signatures[x, name], signatures[y, name]
        agreeing_bands = sum(
            band_values(channel, p, band) == band_values(channel, q, band)
            for band in range(channel["bands"]["count"])
        )
        if agreeing_bands < rule.get("min_agreeing_bands", 0):
            continue
        if rule["rule"] == "jaccard":
            measure = len(one & other), len(one | other)
            accepts = Fraction(*measure) >= Fraction(rule["threshold"])
        elif rule["rule"] == "agreement":
            measure = sum(i == j for i, j in zip(p, q, strict=True)), len(p)
            accepts = Fraction(*measure) >= Fraction(rule["threshold"])
        elif rule["rule"] == "hamming":
            measure = sum(i == j for i, j in zip(one, other, strict=True)), len(one)
            accepts = measure[1] - measure[0] <= rule["max_distance"]
        elif rule["rule"] == "inliers":
            measure = oracle_images.inliers(one, other), 1
            accepts = measure[0] >= rule["min_inliers"]
        else:
            raise NotImplementedError(f"match rule {rule['rule']}")
        if accepts:
            return name, *measure
    return None


# --- Clusters


def cluster_by_heads(
    channels: list[dict[str, Any]],
    evidence: dict[str, list[Any]],
    signatures: Signatures,
    order: list[str],
    edges: dict[tuple[str, str], Edge],
) -> dict[str, tuple[str, str, int, int]]:
    """Each item in priority order joins the strongest possible head that it matches, or becomes one."""
    rank = {x: i for i, x in enumerate(order)}
    channel_rank = {channel["name"]: c for c, channel in enumerate(channels)}
    earlier_neighbours = defaultdict(list)
    for earlier, later in edges:
        earlier_neighbours[later].append(earlier)
    clusters: dict[str, tuple[str, str, int, int]] = {}
    for x in order:
        best = None
        for head in {clusters[y][0] for y in earlier_neighbours[x]}:
            edge = match(channels, evidence, signatures, head, x)
            if edge:
                name, n, d = edge
                preference = (channel_rank[name], -Fraction(n, d), rank[head])  # smaller is better
                if best is None or preference < best[0]:
                    best = preference, (head, name, n, d)
        clusters[x] = best[1] if best else (x, "", 0, 0)
    return clusters


def cluster_by_components(
    order: list[str], edges: dict[tuple[str, str], Edge]
) -> dict[str, tuple[str, str, int, int]]:
    """Connected components; the head is the earliest member."""
    neighbours = defaultdict(set)
    for earlier, later in edges:
        neighbours[earlier].add(later)
        neighbours[later].add(earlier)
    head_of: dict[str, str] = {}
    for head in order:
        if head in head_of:
            continue
        reached, todo = {head}, [head]
        while todo:
            new = neighbours[todo.pop()] - reached
            reached |= new
            todo += new
        head_of |= dict.fromkeys(reached, head)
    return {x: (head_of[x], *edges.get((head_of[x], x), ("", 0, 0))) for x in order}
