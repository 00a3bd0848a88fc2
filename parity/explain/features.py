"""Features as they are stored: is a piece whole, and is its signature what its record gives?"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shared import minhash
from shared.extractors.bits import bit_tokens
from shared.geometry import RECORD_VERSION
from shared.similarity import ChannelFeatures
from shared.spec import Channel, Spec
from shared.stored import Piece

NONE = Piece()


def damage(channel: Channel, piece: Piece) -> tuple[str, str] | None:
    """(stage, what is wrong) of a piece that no engine writes; None of one that is whole, or not there."""
    if piece == NONE:
        return None
    if piece.record is None:
        return "features", "a signature is stored and no verification record"
    if (wrong := _record_damage(channel, piece.record)) is not None:
        return "features", wrong
    if piece.signature is None:
        return "signature", "a verification record is stored and no signature"
    wanted = 4 * channel.minhash.permutations
    if len(piece.signature) != wanted:
        return "signature", f"the signature has {len(piece.signature)} bytes and not {wanted}"
    return None


def whole(spec: Spec, pieces: Sequence[Piece] | None) -> tuple[Piece, ...]:
    """The pieces, without those that are damaged: nothing may be computed from them."""
    known = pieces or (NONE,) * len(spec.channels)
    pairs = zip(spec.channels, known, strict=True)
    return tuple(NONE if damage(channel, piece) else piece for channel, piece in pairs)


def has_features(pieces: Sequence[Piece] | None) -> bool:
    return any(piece != NONE for piece in pieces or ())


def columns(spec: Spec, pieces: Sequence[Sequence[Piece]]) -> list[ChannelFeatures]:
    """Whole pieces of n items, as `similarity.verify` takes them."""
    return [
        ChannelFeatures(
            pa.array([own[order].signature for own in pieces], pa.large_binary()),
            pa.array([own[order].record for own in pieces], pa.large_binary()),
        )
        for order in range(len(spec.channels))
    ]


def recomputed(channel: Channel, record: bytes) -> npt.NDArray[np.uint32] | None:
    """The signature of what a whole record holds; None where it does not hold the tokens."""
    if channel.match.rule == "jaccard":
        tokens = np.frombuffer(record, "<u8").astype(np.uint64)
        offsets = np.array([0, len(tokens)], np.int64)
    elif channel.match.rule == "hamming":
        offsets, tokens = bit_tokens(np.frombuffer(record, np.uint8)[None, :], np.ones(1, np.bool_))
    else:
        return None
    (found,) = minhash.signatures(tokens, offsets, channel.minhash.permutations, channel.minhash.seed)
    return np.asarray(found)


def first_wrong(channel: Channel, piece: Piece) -> int | None:
    """The first value of a signature that its record does not give; None where there is none, or nobody
    can tell from the record."""
    if piece.signature is None or piece.record is None or damage(channel, piece):
        return None
    given = recomputed(channel, piece.record)
    if given is None:
        return None
    wrong = np.flatnonzero(given != np.frombuffer(piece.signature, "<u4"))
    return int(wrong[0]) if len(wrong) else None


def content(channel: Channel, record: bytes) -> str:
    """What a record holds, in words."""
    rule = channel.match.rule
    if rule == "jaccard":
        return f"{len(record) // 8:,} tokens"
    if rule == "hamming":
        return f"{8 * len(record)} bits"
    if rule == "inliers":
        return f"{_features(record)} local features"
    return "a signature alone"


def _record_damage(channel: Channel, record: bytes) -> str | None:
    rule, size = channel.match.rule, len(record)
    if rule == "hamming" and 8 * size != channel.extractor.bit_count:
        return f"the record has {8 * size} bits and not {channel.extractor.bit_count}"
    if rule == "agreement" and size:
        return f"the record has {size} bytes and should have none"
    if rule in ("jaccard", "inliers") and (size % 8 or not size):
        return f"the record has {size} bytes, which are no whole numbers of 8"
    if rule == "jaccard":
        tokens = np.frombuffer(record, "<u8")
        if (tokens[1:] <= tokens[:-1]).any():
            return "the record's tokens are not in ascending order"
    if rule == "inliers":
        header = int.from_bytes(record[:8], "little")
        n = _features(record)
        if header >> 32 != RECORD_VERSION:
            return f"the record has version {header >> 32} and not {RECORD_VERSION}"
        if size // 8 not in (1 + n, 1 + 2 * n):
            return f"the record has {size // 8 - 1} features, by its header {n}"
    return None


def _features(record: bytes) -> int:
    return int.from_bytes(record[:4], "little")


def wholes(spec: Spec, pieces: Mapping[str, Sequence[Piece]]) -> dict[str, tuple[Piece, ...]]:
    """`whole` of each item."""
    return {item: whole(spec, own) for item, own in pieces.items()}
