"""What was measured as tables, for the terminal and the page alike."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import PurePath

from bench.accuracy.engines import COMMANDS, LOG_COMMANDS, Runs
from bench.accuracy.measure import Method, Preset, Result
from bench.accuracy.protocol import DIFFERENT, NEAR_DUPLICATE
from bench.accuracy.scoring import Score
from bench.accuracy.settings import Setting
from bench.attacks import GOALS
from bench.report import Table

RECALL, PRECISION, LOOK_ALIKES = 0.95, 0.995, 0.05
_PAIRS = 5


def tables(result: Result) -> dict[str, Table]:
    """By the name of the section that each fills."""
    found = {
        "methods": methods(result),
        "false": false(result.presets),
        "groups": _recalls(result, "groups", lambda m: m.scores.groups, GOALS),
        "attacks": _recalls(result, "attacks", lambda m: m.scores.attacks, {}),
        "look-alikes": look_alikes(result.presets),
        "costs": costs(result.presets),
        "settings": settings(result.presets),
        "engines": engines([preset.runs for preset in result.presets]),
    }
    return found


def methods(result: Result) -> Table:
    protocol, queries = result.protocol, len(result.protocol.queries)
    notes = [
        f"{len(protocol.database)} photographs in the database; {queries:,} queries: 58 attacks on "
        f"{len(protocol.attacked)} of them (to be found) and on {len(protocol.controls)} other photographs "
        f"(to be left alone). Asked for: recall >= {RECALL}, precision >= {PRECISION}.",
        "false: queries that lead to another photograph of the database. precision: found / (found + false).",
    ]
    if any(method.fitted for method in result.peers):
        notes.append("*: the threshold with the best F1 on these very pictures, which nobody has beforehand.")
    for preset in result.presets:
        notes.append(
            f"{preset.name}: {preset.edges.edges:,} edges among queries, {preset.edges.mixed:,} of them "
            "between different photographs (listed, not scored)."
        )
    rows = []
    for method in result.methods:
        whole = method.scores.whole
        numbers = [f"{whole.recall:.4f}", f"{whole.precision:.4f}", f"{whole.found:,}", f"{whole.false:,}"]
        rows.append([method.name + "*" * method.fitted, *numbers, f"{whole.false_rate:.2%}"])
    return Table(
        "Recall and precision",
        ["", "recall", "precision", "found", "false", "of all queries"],
        rows,
        notes,
        {method.name: asdict(method.scores.whole) for method in result.methods},
    )


def false(presets: list[Preset]) -> Table:
    rows = []
    for preset in presets:
        for (query, other), count in list(preset.stream.false.items())[:_PAIRS]:
            rows.append([preset.name, *map(_brief, (query, other)), f"{count:,}"])
    return Table(
        "Where false queries come from",
        ["preset, stream of all", "attacked", "found in the database", "queries"],
        rows,
        [
            f"The {_PAIRS} pairs of photographs with most false queries. Two of one thing that nobody "
            "labelled take all their variants along: look at them before you judge a precision."
        ],
        {preset.name: [[*pair, n] for pair, n in preset.stream.false.items()] for preset in presets},
    )


def _brief(photograph: str) -> str:
    """Enough of a name to find it by."""
    path = PurePath(photograph)
    return f"{path.parent.name}/{path.stem[:8]}"


def _recalls(
    result: Result, what: str, scores: Callable[[Method], dict[str, Score]], goals: dict[str, float]
) -> Table:
    """Recall of each group or attack, a column a method; a * where an asked recall is missed."""
    shown = [method for method in result.methods if not method.fitted]
    rows = []
    for name, first in scores(shown[0]).items():
        goal = goals.get(name)
        cells = [scores(method)[name].recall for method in shown]
        ours = 2 * len(result.presets)  # only they can miss what is asked
        missed = [goal is not None and cell < goal and i < ours for i, cell in enumerate(cells)]
        asked = [f">= {goal:.2f}" if goal else ""] if goals else []
        values = [f"{cell:.3f}" + "*" * miss for cell, miss in zip(cells, missed, strict=True)]
        rows.append([name, f"{first.positives:,}", *asked, *values])
    names = {_short(method.name): method.name for method in shown}
    notes = ["; ".join(f"{short}: {name}" for short, name in names.items()) + "."]
    return Table(
        f"Recall by {what}",
        ["", "queries", *(["asked"] if goals else []), *(_short(method.name) for method in shown)],
        rows,
        [*notes, *(["*: less than is asked."] if goals else [])],
        {
            method.name: {name: asdict(score) for name, score in scores(method).items()}
            for method in result.methods
        },
    )


def look_alikes(presets: list[Preset]) -> Table:
    """Nothing in it where the collection lists no pairs."""
    rows, numbers = [], {}
    for preset in presets:
        for label, found in preset.look_alikes.items():
            what = {DIFFERENT: "different things", NEAR_DUPLICATE: "true near-duplicates"}[label]
            by = Counter(match.channel for match in found.matches)
            share = f"{by.total() / found.pairs:.1%}" if found.pairs else "-"
            channels = ", ".join(f"{name} {count}" for name, count in sorted(by.items()))
            counts = (f"{count}" for count in (found.pairs, found.candidates, by.total()))
            rows.append([f"{preset.name}, {what}", *counts, share, channels])
            numbers[f"{preset.name}, {label}"] = asdict(found)
    note = (
        "Pairs that look alike at 16 x 16 pixels, of the whole collection, labelled by hand. Of different "
        f"ones, at most {LOOK_ALIKES:.0%} may be called duplicates. candidates: pairs that share a bucket."
        if rows
        else "This collection has no list of look-alikes."
    )
    columns = ["", "pairs", "candidates", "duplicates", "share", "by channel"]
    return Table("Look-alikes", columns, rows, [note], numbers)


def costs(presets: list[Preset]) -> Table:
    rows, notes, numbers = [], [], {}
    for preset in presets:
        found = preset.costs
        shares = [f"{share:.3%}" for share in (preset.candidates, preset.verified, preset.drawn)]
        rows.append([preset.name, *shares, f"{found.all_bytes:,.0f}", f"{found.all_milliseconds:.1f}"])
        parts = [f"{name} {value:,.0f}" for name, value in found.bytes.items()]
        times = [f"{name} {value:.1f}" for name, value in found.milliseconds.items()]
        notes.append(f"{preset.name}: bytes: {', '.join(parts)}; milliseconds: {', '.join(times)}.")
        numbers[preset.name] = asdict(found) | {
            "candidates": preset.candidates,
            "verified": preset.verified,
            "drawn": preset.drawn,
        }
    return Table(
        "What a preset costs",
        ["", "candidates", "verified", "in the stream", "bytes/image", "ms/image"],
        rows,
        [
            "candidates: of the pairs of a query and a photograph that is not its own, the share that is "
            "drawn, each query alone. verified: those that the last channel verifies (the others have fewer "
            "agreeing bands than it asks for). in the stream: drawn, of all pairs, copies included.",
            "bytes: signatures and verification records, which both engines store, before compression. ms: "
            "processor time of one core, decoding the stored file included, mean of a sample of 200.",
            *notes,
        ],
        numbers,
    )


def settings(presets: list[Preset]) -> Table:
    """Of each preset, the settings that no other beats in recall and work at once."""
    rows = []
    for preset in presets:
        for entry in [preset.shipped, *front(preset.settings)]:
            what = f"{entry.bands} x {entry.rows}" if entry.bands else ""
            numbers = [f"{entry.share:.4%}", f"{entry.recall:.4f}"]
            rows.append([preset.name, entry.extractor, what, entry.cut, *numbers])
    return Table(
        "Recall against work",
        ["preset", "tokens", "bands x rows", "cut", "verified", "recall"],
        rows,
        [
            "Each query alone. Only settings that no other of the same preset beats in both; the plot shows "
            "all. verified: of the pairs of different photographs, those that the channel of these tokens "
            "verifies; without a cut, pairs that only another channel draws are among them. recall: of the "
            "queries whose original is a candidate and matches.",
            "agreeing >= n is `min_agreeing_bands`. best k: only the k candidates with most agreeing bands "
            "are verified; that is in no rule, since copies in a database would hide the original.",
        ],
        {preset.name: [asdict(entry) for entry in preset.settings] for preset in presets},
    )


def front(found: list[Setting]) -> list[Setting]:
    """Those that no other beats, from few candidates to many."""
    kept: list[Setting] = []
    for entry in sorted(found, key=lambda entry: (entry.share, -entry.recall)):
        if not kept or entry.recall > kept[-1].recall:
            kept.append(entry)
    return kept


def engines(all_runs: list[Runs]) -> Table:
    rows, notes = [], []
    for runs in all_runs:
        counts = runs.batch.manifest["counts"]
        images = counts["items"]
        for command in COMMANDS:
            seconds = runs.seconds[command]
            name = command if command in LOG_COMMANDS else f"{runs.spec.name}: {command}"
            row = [name, f"{seconds:,.1f}", f"{images / seconds:,.1f}"]
            rows += [row] if row not in rows else []
        statuses = ", ".join(f"{count:,} {name}" for name, count in sorted(counts["statuses"].items()))
        notes.append(
            f"{runs.spec.name}: {runs.verdict} between Spark and the consumer on all {images:,} pictures "
            f"({statuses}); {counts['edges']:,} edges. Contract {runs.batch.contract_id}."
        )
    return Table(
        "The engines",
        ["", "seconds", "images/s"],
        rows,
        [
            *notes,
            "Wall time of the commands, each in a process of its own, the start of Python and Spark with it. "
            "One log in a Kafka broker on this machine; publish and archive ran once for all presets.",
        ],
        {runs.spec.name: {"verdict": runs.verdict, "seconds": runs.seconds} for runs in all_runs},
    )


def _short(name: str) -> str:
    """A method's name as the heading of a column."""
    name = name.removeprefix("photos-").replace(", stream of all", "").replace(", query alone", " alone")
    return name.replace(" <= ", " ")
