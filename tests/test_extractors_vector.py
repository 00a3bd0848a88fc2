"""`embedding.hyperplanes` against the definition in integers."""

from fractions import Fraction

import numpy as np
import pyarrow as pa
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from shared.extractors.bits import token_table
from shared.extractors.hyperplanes import Hyperplanes, planes

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def array_of(*vectors: list[float]) -> pa.Array:
    return pa.array([np.array(vector, "<f8").tobytes() for vector in vectors], pa.binary())


def sign(dimension: int, plane: int, seed: int) -> int:
    name = plane.to_bytes(4, "little") + (dimension // 64).to_bytes(4, "little")
    return 1 if xxhash.xxh64_intdigest(name, seed) >> (dimension % 64) & 1 else -1


def bits_of(vector: list[float], extractor: Hyperplanes) -> list[int]:
    """Exact: the division is rounded once to a float, everything after it is integers."""
    peak = max(abs(x) for x in vector)
    quantised = [round(Fraction(x / peak) * 2**20) for x in vector]
    return [
        int(sum(q * sign(d, plane, extractor.seed) for d, q in enumerate(quantised)) > 0)
        for plane in range(extractor.bits)
    ]


@given(st.lists(FINITE, min_size=70, max_size=70), st.integers(0, 2**63 - 1))
def test_equals_the_definition(vector: list[float], seed: int) -> None:
    extractor = Hyperplanes(70, 16, seed)
    result = extractor.extract(array_of(vector))
    assert result.bits is not None and result.ok.tolist() == [True]
    if any(vector):
        expected = bits_of(vector, extractor)
        assert np.unpackbits(result.bits[0]).tolist() == expected
        names = [i.to_bytes(2, "little") + bytes([bit]) for i, bit in enumerate(expected)]
        assert result.tokens.tolist() == sorted(xxhash.xxh64_intdigest(name, 42) for name in names)
    else:
        assert result.offsets.tolist() == [0, 0] and not result.bits.any()


def test_subnormal_and_huge_vectors_have_the_bits_of_their_direction() -> None:
    direction = [1.0, -2.0, 3.0, 0.5]
    tiny, huge = 2.0**-1073, 2.0**1022
    result = Hyperplanes(4, 64).extract(
        array_of(direction, [x * tiny for x in direction], [x * huge for x in direction])
    )
    assert result.bits is not None
    assert result.ok.all() and (np.diff(result.offsets) == 64).all()
    assert result.bits[0].tobytes() == result.bits[1].tobytes() == result.bits[2].tobytes()


def test_wrong_lengths_and_numbers_that_are_not_finite_are_not_ok() -> None:
    nan, inf = float("nan"), float("inf")
    payloads = array_of([1.0, 2.0], [1.0], [nan, 1.0], [inf, 1.0], [0.0, 0.0], [1.0, -inf], [3.0, 1.0])
    payloads = pa.concat_arrays([payloads, pa.array([b"", b"x" * 16 + b"y", None], pa.binary())])
    result = Hyperplanes(2, 8).extract(payloads)
    assert result.ok.tolist() == [True, False, False, False, True, False, True, False, False, False]
    assert np.diff(result.offsets).tolist() == [8, 0, 0, 0, 0, 0, 8, 0, 0, 0]
    assert result.bits is not None and not result.bits[~(np.diff(result.offsets) > 0)].any()


def test_a_vector_alone_in_a_slice_has_the_same_bits() -> None:
    rng = np.random.default_rng(3)
    vectors = [rng.normal(size=96).tolist() for _ in range(50)]
    extractor = Hyperplanes(96, 256)
    together = extractor.extract(array_of(*vectors))
    alone = extractor.extract(array_of(*vectors)[17:18])
    assert together.bits is not None and alone.bits is not None
    assert together.bits[17].tobytes() == alone.bits[0].tobytes()


def test_an_empty_batch() -> None:
    result = Hyperplanes(3, 8).extract(pa.array([], pa.binary()))
    assert result.ok.shape == (0,) and result.offsets.tolist() == [0]
    assert result.bits is not None and result.bits.shape == (0, 1)


def test_near_vectors_share_most_bits_and_opposite_ones_none() -> None:
    rng = np.random.default_rng(5)
    vector = rng.normal(size=384)
    result = Hyperplanes(384, 1024).extract(
        array_of(vector.tolist(), (vector + rng.normal(size=384) * 0.05).tolist(), (-vector).tolist())
    )
    assert result.bits is not None
    bits = np.unpackbits(result.bits, axis=1)
    assert (bits[0] != bits[1]).sum() < 50 and (bits[0] == bits[2]).sum() == 0


def test_planes_are_balanced_and_tokens_distinct() -> None:
    assert abs(planes(768, 4096, 1).mean()) < 0.005
    assert len(np.unique(token_table(4096))) == 8192


def test_golden_bits() -> None:
    """For ever: stored runs hold these values."""
    result = Hyperplanes(8, 32, seed=1).extract(array_of([0.5, -1.0, 2.25, 3.0, -0.125, 0.0, 7.5, -6.0]))
    assert result.bits is not None and result.bits.tobytes().hex() == "dd9af6b6"
