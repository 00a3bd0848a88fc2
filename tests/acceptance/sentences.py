"""Documents of real sentences: the docstrings of Python's standard library; a fifth are edits of others.

The truth is exact: every pair's Jaccard coefficient of word 3-shingles, by an inverted index of strings.
Nothing of crossfade is used here.
"""

import ast
import random
import re
import sysconfig
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from pathlib import Path

WORDS = 100  # of a document, at least
ORIGINALS, EDITS = 1_200, 300
CHANGED = (2, 3, 3, 4, 4, 5, 5, 5, 6, 8, 10)  # of a hundred words: half of the true pairs are near 0.7
_LEFT_OUT = {"test", "tests", "site-packages", "dist-packages", "lib2to3", "idlelib"}


def documents(seed: int = 1) -> dict[str, str]:
    """id -> text: ORIGINALS documents and EDITS edits of some of them, in no order."""
    draw = random.Random(seed)
    texts = _originals()
    vocabulary = sorted({word for text in texts for word in text.split()})
    texts += [_edited(draw.choice(texts).split(), vocabulary, draw) for _ in range(EDITS)]
    draw.shuffle(texts)
    return {f"doc-{number:04}": text for number, text in enumerate(texts)}


def jaccards(texts: dict[str, str], at_least: Fraction) -> dict[tuple[str, str], tuple[int, int]]:
    """(id, greater id) -> (intersection, union) of every pair whose ratio is `at_least` that."""
    shingles = {item: set(_shingles(text)) for item, text in texts.items()}
    holders: dict[str, list[str]] = defaultdict(list)
    for item in sorted(shingles):
        for shingle in shingles[item]:
            holders[shingle].append(item)
    common = Counter(pair for items in holders.values() for pair in combinations(items, 2))
    found = {}
    for (a, b), shared in common.items():
        union = len(shingles[a] | shingles[b])
        if Fraction(shared, union) >= at_least:
            found[a, b] = (shared, union)
    return found


def _shingles(text: str) -> Iterator[str]:
    words = text.lower().split()  # letters and single spaces only, so this is all there is to split
    for at in range(max(1, len(words) - 2)):
        yield " ".join(words[at : at + 3])


def _originals() -> list[str]:
    found: list[str] = []
    words: list[str] = []
    for sentence in _sentences():
        words += sentence
        if len(words) >= WORDS:
            found.append(" ".join(words))
            words = []
        if len(found) == ORIGINALS:
            return found
    raise AssertionError(f"the standard library gave {len(found)} documents only")


def _sentences() -> Iterator[list[str]]:
    """Each sentence of the docstrings once, as its words, in the order of the files' names."""
    seen: set[str] = set()
    root = Path(sysconfig.get_paths()["stdlib"])
    for file in sorted(root.rglob("*.py")):
        if _LEFT_OUT.isdisjoint(file.relative_to(root).parts):
            tree = ast.parse(file.read_bytes())
            for node in ast.walk(tree):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                    for part in re.split(r"(?<=[.!?])\s+|\n\n", ast.get_docstring(node) or ""):
                        sentence = re.findall(r"[A-Za-z]{2,}", part)
                        if len(sentence) >= 5 and " ".join(sentence) not in seen:
                            seen.add(" ".join(sentence))
                            yield sentence


def _edited(words: list[str], vocabulary: list[str], draw: random.Random) -> str:
    """2 to 10 % of the words replaced, or one in five of them dropped."""
    for place in draw.sample(range(len(words)), len(words) * draw.choice(CHANGED) // 100):
        words[place] = draw.choice(vocabulary) if draw.random() < 0.8 else ""
    return " ".join(word for word in words if word)
