"""From winning events to statuses and features: payload -> tokens -> signature, a batch at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shared import minhash
from shared.extractors.protocol import Extraction
from shared.payloads import load_images
from shared.similarity import ChannelFeatures
from shared.spec import Channel, Spec

INDEXED = ("ok", "no_features")  # the statuses of items that are in the index

_EVENT_KIND = {"text": "text", "vector": "vector", "image": "uri"}


@dataclass(frozen=True)
class Sketched:
    """status: object[n] of status names. features: one a channel of the spec, each of n items."""

    status: npt.NDArray[np.object_]
    features: tuple[ChannelFeatures, ...]


def sketch(spec: Spec, events: pa.Table) -> Sketched:
    """Statuses and features of n winning events (columns op, kind, payload, digest).

    Raises TransientError when a payload's bytes cannot be had now.
    """
    n = events.num_rows
    kinds, sizes = events.column("kind"), pc.binary_length(events.column("payload"))
    status = np.full(n, "ok", dtype=object)
    status[_mask(pc.greater(sizes, spec.limits.payload_bytes))] = "payload_too_large"
    status[_mask(pc.not_equal(kinds, _EVENT_KIND[spec.kind]))] = "payload_invalid"
    status[_mask(pc.equal(events.column("op"), "delete"))] = "deleted"

    has_features = np.zeros(n, dtype=bool)
    parts: list[list[ChannelFeatures]] = [[] for _ in spec.channels]
    rows_seen: list[npt.NDArray[np.int64]] = []
    for rows, payloads in _payloads(spec, events, status):
        rows_seen.append(rows)
        for channel, features in zip(spec.channels, parts, strict=True):
            extraction = channel.extractor.extract(payloads)
            status[rows[~extraction.ok]] = "payload_invalid"
            has_features[rows] |= np.diff(extraction.offsets) > 0
            features.append(_features(channel, extraction))
    status[(status == "ok") & ~has_features] = "no_features"
    usable = np.isin(status, INDEXED)  # a channel may have taken what another one could not
    return Sketched(status, tuple(_scatter(usable, rows_seen, features) for features in parts))


def _payloads(
    spec: Spec, events: pa.Table, status: npt.NDArray[np.object_]
) -> Iterator[tuple[npt.NDArray[np.int64], Any]]:
    """(rows, payloads as the extractors take them) in pieces; writes the statuses of images that fail."""
    usable = np.flatnonzero(status == "ok")
    if not len(usable):
        return
    payloads = _column(events, "payload", usable)
    if spec.kind != "image":
        yield usable, payloads
        return
    loaded = load_images(payloads, _column(events, "digest", usable), spec.limits)
    for piece in loaded:
        rows, usable = usable[: len(piece)], usable[len(piece) :]
        good = np.array([not isinstance(image, str) for image in piece], dtype=bool)
        status[rows[~good]] = [image for image in piece if isinstance(image, str)]
        if good.any():
            yield rows[good], [image for image in piece if not isinstance(image, str)]


def _features(channel: Channel, extraction: Extraction) -> ChannelFeatures:
    offsets = extraction.offsets
    present = np.diff(offsets) > 0
    signatures = minhash.signatures(
        extraction.tokens, offsets, channel.minhash.permutations, channel.minhash.seed
    )
    missing = pa.array(~present)
    return ChannelFeatures(
        _fixed_width(signatures.astype("<u4", copy=False), missing), _records(channel, extraction, missing)
    )


def _records(channel: Channel, extraction: Extraction, missing: pa.Array) -> pa.Array:
    n = len(extraction.offsets) - 1
    if channel.match.rule == "jaccard":
        data = pa.py_buffer(extraction.tokens.astype("<u8", copy=False))
        offsets = pa.py_buffer((extraction.offsets * 8).astype(np.int64))
        records = pa.LargeBinaryArray.from_buffers(pa.large_binary(), n, [None, offsets, data])
        return pc.if_else(missing, None, records)
    if channel.match.rule == "hamming":
        assert extraction.bits is not None  # the spec was checked for it
        return _fixed_width(extraction.bits, missing)
    if channel.match.rule == "inliers":
        return pc.if_else(missing, None, extraction.records)
    return pc.if_else(missing, None, pa.array([b""] * n, pa.large_binary()))


def _fixed_width(rows: npt.NDArray[Any], missing: pa.Array) -> pa.Array:
    """Rows of one width as large binary; null where missing."""
    rows = np.ascontiguousarray(rows)
    width = rows.shape[1] * rows.itemsize
    offsets = pa.py_buffer(np.arange(len(rows) + 1, dtype=np.int64) * width)
    array = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(rows), [None, offsets, pa.py_buffer(rows)]
    )
    return pc.if_else(missing, None, array)


def _scatter(
    usable: npt.NDArray[np.bool_], rows: list[npt.NDArray[np.int64]], parts: list[ChannelFeatures]
) -> ChannelFeatures:
    """Features of all items from those that were extracted; null elsewhere and where not usable."""
    source = np.full(len(usable), -1, dtype=np.int64)
    for start, piece in zip(np.cumsum([0, *map(len, rows)]), rows, strict=False):
        source[piece] = start + np.arange(len(piece))
    indices = pa.array(source, mask=(source < 0) | ~usable)
    empty = pa.array([], pa.large_binary())
    signatures = pa.concat_arrays([part.signatures for part in parts] or [empty])
    records = pa.concat_arrays([part.records for part in parts] or [empty])
    return ChannelFeatures(signatures.take(indices), records.take(indices))


def _column(events: pa.Table, name: str, rows: npt.NDArray[np.int64]) -> pa.Array:
    taken = events.column(name).take(pa.array(rows))
    return pa.concat_arrays(taken.chunks) if taken.num_chunks != 1 else taken.chunk(0)


def _mask(condition: Any) -> npt.NDArray[np.bool_]:
    return np.asarray(condition.to_numpy(), dtype=bool)
