"""The demo's event log: every sort of event, and originals before their variants by time, not by line."""

import json
from pathlib import Path

from cli.demo_events import write_demo_events


def test_originals_are_the_earliest_and_lines_have_no_order(tmp_path: Path) -> None:
    for folder in range(40):
        for variant in ("blur", "original", "crop"):
            file = tmp_path / "images" / f"p{folder}" / f"{variant}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(f"{folder} {variant}".encode() * 400)
    sorts = write_demo_events(tmp_path / "images", tmp_path / "broken", tmp_path / "events.jsonl")
    assert sorts["pictures"] == 120 and min(sorts.values()) > 0
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines()
    assert len(lines) == sum(sorts.values())
    events = [json.loads(line) for line in lines if line.endswith(b"}")]
    last: dict[str, int] = {}  # of an edited picture the last event counts
    for event in events:
        if event["op"] == "upsert" and event["id"].startswith("p"):
            last[event["id"]] = max(event["event_time"], last.get(event["id"], 0))
    originals = [time for name, time in last.items() if name.endswith("/original.jpg")]
    others = [time for name, time in last.items() if not name.endswith("/original.jpg")]
    assert len(originals) == 40 and len(others) == 80 and max(originals) < min(others)
    times = [event["event_time"] for event in events if event["id"].startswith("p")]
    assert times != sorted(times)
