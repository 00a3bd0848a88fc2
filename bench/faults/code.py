"""Faults in code: one function of the stream's path says something else, and the contract does not know.

Each is a context manager that is open while the stream applies the log; the batch keeps the right code.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import shared.events
import shared.lsh
import shared.minhash
import shared.similarity
import shared.sketch
import shared.versions
import stream.index
import stream.microbatch
import stream.settle
import stream.state
from bench.faults.scenario import START
from parity.faults import Fault
from shared.extractors import text
from shared.heads import BECOMES_HEAD, UNDECIDED, UNKNOWN, key_id
from shared.similarity import NO_MATCH, Matches
from shared.spec import Bands
from shared.versions import Resolved
from stream.postings import Bucket

Patch = AbstractContextManager[Any]
Around = Callable[..., Any]  # (the original, its arguments) -> what the faulty one gives


def _around(owner: Any, name: str, faulty: Around) -> Callable[[], Patch]:
    """Patch owner.name by `faulty`, which gets the original first."""
    return lambda: mock.patch.object(owner, name, partial(faulty, getattr(owner, name)))


def _method(owner: type, name: str, faulty: Around) -> Callable[[], Patch]:
    original = getattr(owner, name)

    def method(self: Any, *arguments: Any) -> Any:
        return faulty(partial(original, self), self, *arguments)

    return lambda: mock.patch.object(owner, name, method)


# --- Events


def _events(change: Callable[[pa.Table], pa.Table]) -> Callable[[], Patch]:
    """The stream's parser gives other events."""

    def parse(original: Around, records: pa.Table) -> shared.events.Parsed:
        parsed = original(records)
        return shared.events.Parsed(change(parsed.events), parsed.dead)

    return _around(shared.events, "parse", parse)


def _set(events: pa.Table, name: str, values: Any) -> pa.Table:
    place = events.schema.get_field_index(name)
    return events.set_column(
        place, events.schema.field(name), pa.array(values, events.schema.field(name).type)
    )


def _drop(item: str) -> Callable[[pa.Table], pa.Table]:
    return lambda events: events.filter(pc.not_equal(events.column("id"), item))


def _edited(item: str, **values: Any) -> Callable[[pa.Table], pa.Table]:
    def change(events: pa.Table) -> pa.Table:
        mine = pc.equal(events.column("id"), item)
        for name, value in values.items():
            kind = events.schema.field(name).type
            place = events.schema.get_field_index(name)
            column = pc.if_else(mine, pa.scalar(value, kind), events.column(name))
            events = events.set_column(place, events.schema.field(name), column)
        return events

    return change


def _renamed(events: pa.Table) -> pa.Table:
    """One id is read with its case folded."""
    ids = [name.upper() if name == "e04" else name for name in events.column("id").to_pylist()]
    return _set(events, "id", ids)


def _skewed_clock(events: pa.Table) -> pa.Table:
    """The broker of partition 1 is a minute ahead."""
    append = events.column("append_time").to_numpy().copy()
    append[events.column("partition").to_numpy() == 1] += 60_000
    return _set(events, "append_time", append)


@contextmanager
def _edits_ignored() -> Iterator[None]:
    """The first version of an id that comes is kept for ever."""
    seen: set[str] = set()

    def first_only(events: pa.Table) -> pa.Table:
        keep = []
        for name in events.column("id").to_pylist():
            keep.append(name not in seen)
            seen.add(name)
        return events.filter(pa.array(keep, pa.bool_()))

    with _events(first_only)():
        yield


def _delete_loses(original: Around, events: pa.Table, *rest: Any) -> Resolved:
    """At one time the upsert wins: `op` sorts the other way."""
    names = {"delete": "zzz", "upsert": "upsert", "zzz": "delete"}
    turned = _set(events, "op", [names[op] for op in events.column("op").to_pylist()])
    found = original(turned, *rest)
    back = (
        _set(table, "op", [names[op] for op in table.column("op").to_pylist()])
        for table in vars(found).values()
    )
    return Resolved(*back)


def _last_append(original: Around, events: pa.Table) -> pa.Table:
    """Of repeats the last record counts."""
    append = events.column("append_time").to_numpy()
    found = original(_set(events, "append_time", -append))
    return _set(found, "append_time", -found.column("append_time").to_numpy())


def _times(**changes: Any) -> Callable[[], Patch]:
    return _around(
        shared.versions,
        "resolve",
        lambda original, events, times, *rest: original(events, replace(times, **changes), *rest),
    )


# --- Features and signatures


def _sketched(change: Callable[[Any], Any]) -> Callable[[], Patch]:
    return _around(stream.microbatch, "sketch", lambda original, spec, events: original(change(spec), events))


def _tokens(change: Callable[[Any], Any]) -> Callable[[], Patch]:
    def shingle(original: Around, *arguments: Any) -> Any:
        tokens, offsets = original(*arguments)
        return change(tokens), offsets

    return _around(text, "shingle", shingle)


def _signatures(change: Callable[[Any], Any]) -> Callable[[], Patch]:
    return _around(shared.minhash, "signatures", lambda original, *arguments: change(original(*arguments)))


def _with_seed(original: Around, tokens: Any, offsets: Any, permutations: int, seed: int) -> Any:
    return original(tokens, offsets, permutations, seed + 1)


def _swapped(signatures: Any) -> Any:
    out = signatures.copy()
    out[:, [2, 5]] = signatures[:, [5, 2]]
    return out


def _one_value(signatures: Any) -> Any:
    out = signatures.copy()
    out[:1, 3] ^= np.uint32(1)  # of the first item of each batch
    return out


def _truncated_tokens(original: Around, *arguments: Any) -> Any:
    """The last token of each set is not sketched, though it is kept."""
    tokens, offsets, *rest = arguments
    return original(tokens, np.maximum(offsets - 1, 0), *rest)


# --- Buckets and draws


def _buckets(change: Callable[[Any, Bands], Any]) -> Callable[[], Patch]:
    return _around(
        shared.lsh,
        "buckets",
        lambda original, signatures, bands: change(partial(original, signatures), bands),
    )


def _draws(change: Callable[[Around, int, int, int], tuple[int, int]]) -> Callable[[], Patch]:
    return _around(shared.lsh, "draw_bounds", change)


def _nearest_left_out(original: Around, rank: int, first: int, near: int) -> tuple[int, int]:
    """Near draws begin one further off and end one too early, in effect: the nearest is not drawn."""
    end, start = original(rank, first, near)
    return end, min(rank, start + 1)


def _ties_reversed(effective_time: int, version_time: int, item: bytes) -> bytes:
    """Times decide as ever, then the greatest id: of its first two bytes the complement."""
    turned = version_time << 16 | 0xFFFF - int.from_bytes(item[:2].ljust(2, b"\0"), "big")
    high = ((effective_time + 2**47) << 64) | (turned + 2**63)
    return high.to_bytes(16, "big") + item


def _by_version_time(effective_time: int, version_time: int, item: bytes) -> bytes:
    return ((version_time + 2**63) << 64 | (version_time + 2**63)).to_bytes(16, "big") + item


def _one_before_its_time(original: Around, effective_time: int, version_time: int, item: bytes) -> bytes:
    return original(effective_time - (10**7 if item == b"e03" else 0), version_time, item)  # type: ignore[no-any-return]


def _stays(original: Around, bucket: Bucket, key: bytes) -> int | None:
    """What is deleted or edited leaves its old entries; it is in its buckets twice, or should be in none."""
    return bucket.rank(key)


def _one_stays(original: Around, bucket: Bucket, key: bytes) -> int | None:
    return bucket.rank(key) if key_id(key) == b"f00" else original(key)


def _probe_again(when_inserting: bool) -> Callable[[], Patch]:
    def probe(original: Around, index: Any, keys: Any, inserted: Any = None) -> None:
        if (inserted is not None) != when_inserting:
            original(keys, inserted)

    return _method(stream.index.Index, "_probe_again", probe)


# --- Matches


def _accepts_more_than(original: Around, channel: Any, numerator: Any, denominator: Any) -> Any:
    """> where it must be >=."""
    p, q = channel.match.fraction.as_integer_ratio()
    return np.asarray(numerator * q > p * denominator)


def _accepts_in_floats(original: Around, channel: Any, numerator: Any, denominator: Any) -> Any:
    ratio = numerator.astype(np.float32) / denominator.astype(np.float32)
    return np.asarray(ratio >= np.float64(channel.match.threshold))


def _union_off_by_one(original: Around, channel: Any, *arguments: Any) -> Any:
    numerator, denominator = original(channel, *arguments)
    return numerator, denominator + (channel.match.rule == "jaccard")


def _channels_reversed(original: Around, channels: Any, features: Any, left: Any, right: Any) -> Matches:
    found = original(channels[::-1], features[::-1], left, right)
    turned = np.where(found.channel == NO_MATCH, NO_MATCH, len(channels) - 1 - found.channel)
    return Matches(turned.astype(np.int8), found.numerator, found.denominator)


def _last_channel_only(original: Around, channels: Any, features: Any, left: Any, right: Any) -> Matches:
    return original(channels[:1], features[:1], left, right)  # type: ignore[no-any-return]


# --- Clusters


def _decide(choose: Callable[[int, list[tuple[int, int, int]]], int]) -> Callable[[], Patch]:
    """The stream decides by `choose(item, matches)`, the place of one (channel, numerator, denominator)."""

    def decide(starts: Any, channel: Any, numerator: Any, denominator: Any) -> Any:
        chosen = np.full(len(starts) - 1, BECOMES_HEAD, np.int64)
        for i in range(len(chosen)):
            rows = range(starts[i], starts[i + 1])
            if any(channel[row] == UNKNOWN for row in rows):
                chosen[i] = UNDECIDED
                continue
            good = [row for row in rows if channel[row] != NO_MATCH]
            if good:
                found = [(int(channel[r]), int(numerator[r]), int(denominator[r])) for r in good]
                chosen[i] = good[choose(i, found)]
        return chosen

    return lambda: mock.patch.object(stream.settle, "decide", decide)


def _strength(match: tuple[int, int, int]) -> tuple[int, float]:
    return -match[0], match[1] / match[2]


def _last_of_the_strongest(item: int, matches: list[tuple[int, int, int]]) -> int:
    best = max(map(_strength, matches))
    return max(place for place, match in enumerate(matches) if _strength(match) == best)


def _no_head_checks(original: Around, starts: Any, pairs: Sequence[Any], known: dict[Any, Any]) -> Any:
    return original(starts, pairs, {pair: known.get(pair) for pair in pairs})


def _one_round(original: Around, index: Any, dirty: set[bytes]) -> set[bytes]:
    """Who has edges to an item whose head changed is not asked again."""
    with mock.patch.object(index, "later", lambda key: []):
        return original(index, dirty)  # type: ignore[no-any-return]


def _not_after_deletes(original: Around, index: Any, dirty: set[bytes]) -> set[bytes]:
    """What a deleted head's members are is not asked again."""
    return original(index, dirty) if index._new else set()


def _several(*patches: Callable[[], Patch]) -> Callable[[], Patch]:
    @contextmanager
    def all_of_them() -> Iterator[None]:
        with ExitStack() as stack:
            for patch in patches:
                stack.enter_context(patch())
            yield

    return all_of_them


def _code(name: str, stage: str, kind: str, patch: Callable[[], Patch], roots: int | None = None) -> Fault:
    return Fault(name, "code", stage, kind, patch, roots=roots)


def _constant(owner: Any, name: str, value: Any) -> Callable[[], Patch]:
    return lambda: mock.patch.object(owner, name, value)


CODE_FAULTS: Sequence[Fault] = (
    _code("an event is dropped", "event", "missing", _events(_drop("h03")), roots=1),
    _code(
        "an event is edited on its way", "event", "wrong", _events(_edited("h03", digest=bytes(32))), roots=1
    ),
    _code("an event comes under another id", "event", "missing", _events(_renamed), roots=2),
    _code("an event's time is off", "event", "wrong", _events(_edited("h03", event_time=START + 1)), roots=1),
    _code("a broker's clock is ahead", "event", "wrong", _events(_skewed_clock)),
    _code("edits are ignored", "event", "wrong", _edits_ignored),
    _code(
        "an upsert wins over a delete of its time",
        "event",
        "wrong",
        _around(shared.versions, "resolve", _delete_loses),
    ),
    _code(
        "of repeats the last counts",
        "event",
        "wrong",
        _around(shared.versions, "_first_appends", _last_append),
    ),
    _code("max_skew is ignored", "event", "wrong", _times(max_skew_ms=None)),
    _code("max_lateness is ignored", "event", "wrong", _times(max_lateness_ms=None)),
    _code(
        "long ids are dead letters", "event", "missing", _constant(shared.events, "MAX_ID_BYTES", 32), roots=2
    ),
    _code(
        "the limit of a payload is one byte less",
        "features",
        "wrong",
        _sketched(
            lambda spec: replace(
                spec, limits=replace(spec.limits, payload_bytes=spec.limits.payload_bytes - 1)
            )
        ),
        roots=1,
    ),
    _code(
        "another normaliser",
        "features",
        "wrong",
        _method(text.Shingles, "_normalised", lambda original, self, value: value.casefold()),
    ),
    _code(
        "another tokeniser",
        "features",
        "wrong",
        _around(text, "shingle", lambda original, *a: original(*a[:-1], a[-1] + 1)),
    ),
    _code("another token hash", "features", "wrong", _tokens(lambda tokens: tokens ^ np.uint64(1))),
    _code(
        "tokens went through a float",
        "features",
        "wrong",
        _tokens(lambda tokens: tokens.astype(np.float32).astype(np.uint64)),
    ),
    _code("records in the other byte order", "features", "wrong", _tokens(lambda tokens: tokens.byteswap())),
    _code("another seed", "signature", "wrong", _around(shared.minhash, "signatures", _with_seed)),
    _code("two permutations swapped", "signature", "wrong", _signatures(_swapped)),
    _code("signatures in the other byte order", "signature", "wrong", _signatures(lambda s: s.byteswap())),
    _code("one value of one signature a batch", "signature", "wrong", _signatures(_one_value)),
    _code(
        "the last token is not sketched",
        "signature",
        "wrong",
        _around(shared.minhash, "signatures", _truncated_tokens),
    ),
    _code(
        "bands and rows exchanged",
        "bucket",
        "wrong",
        _buckets(lambda original, bands: original(Bands(count=bands.rows, rows=bands.count))),
    ),
    _code(
        "bucket values with another seed",
        "bucket",
        "wrong",
        _buckets(lambda original, bands: original(bands) ^ np.uint64(1)),
    ),
    _code(
        "bucket values went through a float",
        "bucket",
        "wrong",
        _buckets(lambda original, bands: original(bands).astype(np.float32).astype(np.uint64)),
    ),
    _code(
        "the last band is left out",
        "bucket",
        "wrong",
        _buckets(lambda original, bands: original(bands)[:, :-1]),
    ),
    _code(
        "what was deleted or edited stays in its buckets",
        "bucket",
        "extra",
        _method(Bucket, "remove", _stays),
    ),
    _code("one stays in its buckets", "bucket", "extra", _method(Bucket, "remove", _one_stays), roots=1),
    _code(
        "the first draws are one too few",
        "candidate",
        "wrong",
        _draws(lambda original, rank, first, near: original(rank, first - 1, near)),
    ),
    _code(
        "the near draws are one too few",
        "candidate",
        "wrong",
        _draws(lambda original, rank, first, near: original(rank, first, near - 1)),
    ),
    _code(
        "the near draws are one too many",
        "candidate",
        "wrong",
        _draws(lambda original, rank, first, near: original(rank, first, near + 1)),
    ),
    _code("the nearest is not drawn", "candidate", "wrong", _draws(_nearest_left_out)),
    _code(
        "priority: ties broken the other way",
        "candidate",
        "wrong",
        _constant(stream.state, "priority_key", _ties_reversed),
    ),
    _code(
        "priority by version time",
        "candidate",
        "wrong",
        _constant(stream.state, "priority_key", _by_version_time),
    ),
    _code(
        "the priority of one item is another",
        "candidate",
        "wrong",
        _around(stream.state, "priority_key", _one_before_its_time),
    ),
    _code("members behind a late one do not draw again", "candidate", "wrong", _probe_again(True)),
    _code("members behind a deleted one do not draw again", "candidate", "wrong", _probe_again(False)),
    _code("> in place of >=", "match", "wrong", _around(shared.similarity, "_accepts", _accepts_more_than)),
    _code(
        "thresholds compared as floats",
        "match",
        "wrong",
        _around(shared.similarity, "_accepts", _accepts_in_floats),
    ),
    _code(
        "unions one too large", "match", "wrong", _around(shared.similarity, "_measure", _union_off_by_one)
    ),
    _code(
        "channels asked in the other order",
        "match",
        "wrong",
        _around(stream.index, "verify", _channels_reversed),
    ),
    _code(
        "the second channel is not asked",
        "match",
        "missing",
        _around(stream.index, "verify", _last_channel_only),
    ),
    _code(
        "min_agreeing_bands is ignored",
        "match",
        "extra",
        _around(
            shared.similarity, "_agreeing_bands", lambda original, c, f, left, right: np.full(len(left), 99)
        ),
    ),
    _code(
        "the head check is skipped", "cluster", "wrong", _around(stream.settle, "_choose", _no_head_checks)
    ),
    _code("ties go to the latest head", "cluster", "wrong", _decide(_last_of_the_strongest)),
    _code("the earliest head instead of the strongest", "cluster", "wrong", _decide(lambda item, matches: 0)),
    _code(
        "the weakest head",
        "cluster",
        "wrong",
        _decide(lambda item, matches: min(range(len(matches)), key=lambda i: _strength(matches[i]))),
    ),
    _code(
        "one round and no more: heads taken late",
        "cluster",
        "wrong",
        _around(stream.microbatch, "settle", _one_round),
    ),
    _code(
        "members of a deleted head keep it",
        "cluster",
        "wrong",
        _around(stream.microbatch, "settle", _not_after_deletes),
    ),
)
