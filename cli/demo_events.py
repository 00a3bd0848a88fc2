"""The demo's event log: late, doubled, edited, deleted and broken events, in a shuffled order."""

import hashlib
import random
from collections import Counter
from pathlib import Path

from shared.source_events import event_value

START_MS = 1_750_000_000_000
_STEP_MS = 1_000


def write_demo_events(images: Path, broken: Path, output: Path, seed: int = 1) -> dict[str, int]:
    """Write complete events of every picture below `images` to a JSONL file; how many of each sort.

    broken: folder for pictures that no decoder takes. Of all pictures 5 % come twice, 4 % were first
    another picture (edits), 3 % are deleted later. An original was there before any variant, by its time;
    the order of the lines is that of no clock.
    """
    rng = random.Random(seed)
    names = sorted(str(path.relative_to(images)) for path in images.rglob("*.jpg"))
    in_time = sorted(rng.sample(names, len(names)), key=lambda name: Path(name).stem != "original")
    events: list[bytes] = []
    sorts: Counter[str] = Counter()
    for number, name in enumerate(in_time):
        time = START_MS + number * _STEP_MS
        upsert = event_value(name, "upsert", time, _payload(images / name))
        events.append(upsert)
        sorts["pictures"] += 1
        if rng.random() < 0.05:
            events.append(upsert)
            sorts["doubled"] += 1
        if rng.random() < 0.04:
            other = images / rng.choice(names)
            events.append(event_value(name, "upsert", time - rng.randrange(1, 500_000), _payload(other)))
            sorts["edited"] += 1
        if rng.random() < 0.03:
            events.append(event_value(name, "delete", time + rng.randrange(1, 500_000)))
            sorts["deleted"] += 1
    broken_events = _broken(images / names[0], broken)
    sorts["broken"] = len(broken_events)
    events += broken_events
    rng.shuffle(events)
    output.write_bytes(b"".join(event + b"\n" for event in events))
    return dict(sorts)


def _broken(good: Path, folder: Path) -> list[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "truncated.jpg").write_bytes(good.read_bytes()[:2_000])
    (folder / "no-picture.jpg").write_bytes(b"this is no picture")
    payloads = {
        "broken/truncated.jpg": _payload(folder / "truncated.jpg"),
        "broken/no-picture.jpg": _payload(folder / "no-picture.jpg"),
        "broken/changed.jpg": _payload(good) | {"sha256": "0" * 64},
        "broken/missing.jpg": {"uri": str(folder / "missing.jpg"), "sha256": "0" * 64},
    }
    return [
        *(event_value(name, "upsert", START_MS, payload) for name, payload in payloads.items()),
        b'{"id": "not JSON',
        b'{"id": "broken/no-time.jpg", "op": "upsert"}',
        b'{"id": "broken/op.jpg", "op": "replace", "event_time": 1750000000000}',
    ]


def _payload(path: Path) -> dict[str, str]:
    return {"uri": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
