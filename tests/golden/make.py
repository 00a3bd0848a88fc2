"""How minhash_seed1.json was made: by datasketch 2.0.0 itself, with nothing of crossfade in between.

    .venv/bin/python tests/golden/make.py > tests/golden/minhash_seed1.json

Signatures are fixed for ever: if this script gives another file, datasketch has changed, not the golden.
Tokens are XXH64 (seed 42) of "token 0", "token 1", …, by the xxhash library; datasketch is given their
low 32 bits as the hash value, which is what its 32-bit schemes take.
"""

import json

import datasketch
import xxhash

SEED, PERMUTATIONS = 1, 128
SIZES = (0, 1, 2, 7, 64, 200)


def main() -> None:
    assert datasketch.__version__ == "2.0.0", datasketch.__version__
    sets = []
    for start, size in enumerate(SIZES):
        tokens = [xxhash.xxh64_intdigest(f"token {1000 * start + i}".encode(), 42) for i in range(size)]
        sketch = datasketch.MinHash(
            PERMUTATIONS, SEED, hashfunc=lambda token: token & 0xFFFFFFFF, scheme="affine32"
        )
        sketch.update_batch(tokens)
        sets.append(
            {
                "tokens": [f"{token:016x}" for token in tokens],
                "signature": " ".join(f"{value:08x}" for value in sketch.hashvalues.tolist()),
            }
        )
    golden = {
        "datasketch": "2.0.0",
        "scheme": "affine32",
        "seed": SEED,
        "permutations": PERMUTATIONS,
        "sets": sets,
    }
    print(json.dumps(golden, indent=1))


main()
