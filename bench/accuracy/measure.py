"""Everything that is measured, from the runs of both engines on."""

from dataclasses import dataclass
from pathlib import Path

from bench.accuracy.costs import Costs, costs
from bench.accuracy.engines import Runs
from bench.accuracy.lookalikes import LookAlikes, look_alikes
from bench.accuracy.peers import peers
from bench.accuracy.probe import probe, read_features
from bench.accuracy.protocol import Protocol
from bench.accuracy.scoring import QueryEdges, Scores, answers_of_run, query_edges, score
from bench.accuracy.settings import Setting, settings


@dataclass(frozen=True)
class Method:
    """What is compared: a preset in one of the two scorings, or a peer. fitted: to these very pictures."""

    name: str
    scores: Scores
    fitted: bool = False


@dataclass(frozen=True)
class Preset:
    """candidates, verified: of the pairs of a query and a photograph that is not its own, the shares that
    are drawn and that the last channel verifies, each query alone. drawn: of all pairs of the stream.
    """

    runs: Runs
    stream: Scores
    alone: Scores
    candidates: float
    verified: float
    drawn: float
    edges: QueryEdges
    costs: Costs
    look_alikes: dict[str, LookAlikes]
    settings: list[Setting]

    @property
    def name(self) -> str:
        return self.runs.spec.name

    @property
    def shipped(self) -> Setting:
        """The preset itself among the settings, with its draws."""
        return Setting(self.name, "", 0, 0, "as shipped", self.alone.whole.recall, self.verified)


@dataclass(frozen=True)
class Result:
    protocol: Protocol
    presets: list[Preset]
    peers: list[Method]

    @property
    def methods(self) -> list[Method]:
        own = [
            Method(f"{preset.name}, {how}", scores)
            for preset in self.presets
            for how, scores in (("stream of all", preset.stream), ("query alone", preset.alone))
        ]
        return own + self.peers


def measure(protocol: Protocol, all_runs: list[Runs], files: list[Path], cache: Path) -> Result:
    """files: of protocol.items. cache: a folder that belongs to these files."""
    found = [_preset(protocol, runs, files, cache) for runs in all_runs]
    others = [
        Method(peer.name, score(protocol, peer.answers), peer.fitted) for peer in peers(protocol, files)
    ]
    return Result(protocol, found, others)


def _preset(protocol: Protocol, runs: Runs, files: list[Path], cache: Path) -> Preset:
    spec, run = runs.spec, runs.stream
    features = read_features(protocol, run)
    alone = probe(spec, features, len(protocol.database))
    items = len(protocol.items)
    return Preset(
        runs=runs,
        stream=score(protocol, answers_of_run(protocol, run)),
        alone=score(protocol, alone.answers),
        candidates=float(alone.candidates[~protocol.same_photograph].mean()),
        verified=float(alone.verified[~protocol.same_photograph].mean()),
        drawn=runs.batch.manifest["counts"]["pairs"] / (items * (items - 1) // 2),
        edges=query_edges(protocol, run),
        costs=costs(spec, run, files),
        look_alikes=look_alikes(spec, protocol.root),
        settings=settings(protocol, spec, features, files, cache),
    )
