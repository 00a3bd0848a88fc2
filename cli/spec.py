"""`crossfade spec`: the contract as a table, its id, and how two of them differ."""

import click
import orjson

from parity.show import console, printable, table
from shared import contract
from shared.curve import candidate_probability
from shared.errors import SpecError
from shared.spec import Spec, load

_SIMILARITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9)


@click.group()
def command() -> None:
    """Show, check and compare specs. SPEC is a preset's name or the path of a TOML file."""


@command.command()
@click.argument("spec")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(spec: str, as_json: bool) -> None:
    """Show a contract, its id and what its bands find."""
    loaded = load(spec)
    curves = {
        channel.name: {f"{s:g}": candidate_probability(channel, s) for s in _SIMILARITIES}
        for channel in loaded.channels
    }
    if as_json:
        document = {
            "name": loaded.name,
            "contract_id": contract.contract_id(loaded),
            "contract": contract.contract(loaded),
            "candidate_probability": curves,
        }
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        return
    out = console()
    out.print(f"Spec {printable(loaded.name)}, contract {contract.contract_id(loaded)}\n")
    fields = contract.flat(contract.contract(loaded))
    out.print(
        table("Contract", ["field", "value"], [(name, _value(value)) for name, value in fields.items()]), ""
    )
    out.print(
        table(
            "Probability that the bands make a candidate of a pair, by its similarity (draws aside)",
            ["channel", *curves[loaded.channels[0].name]],
            [[name, *(f"{p:.4f}" for p in curve.values())] for name, curve in curves.items()],
        )
    )


@command.command()
@click.argument("specs", nargs=-1, required=True)
def check(specs: tuple[str, ...]) -> int:
    """Read each spec; print its contract id, or what is wrong with it. Exit status 2 if any is wrong."""
    status = 0
    for name in specs:
        try:
            click.echo(f"ok  {contract.contract_id(load(name))}  {printable(name)}")
        except SpecError as error:
            click.echo(f"crossfade: {error}", err=True)
            status = 2
    return status


@command.command()
@click.argument("spec_a")
@click.argument("spec_b")
def diff(spec_a: str, spec_b: str) -> int:
    """Show the contract fields in which two specs differ. Exit status 0: same contract; 1: not."""
    a, b = load(spec_a), load(spec_b)
    rows = contract.differences(contract.contract(a), contract.contract(b))
    out = console()
    if not rows:
        out.print(f"Same contract: {contract.contract_id(a)}")
        return 0
    out.print(f"Contracts differ: {_label(spec_a, a)} and {_label(spec_b, b)}\n")
    out.print(
        table(
            "Fields that differ", ["field", "A", "B"], [(path, _value(x), _value(y)) for path, x, y in rows]
        )
    )
    return 1


def _label(name: str, spec: Spec) -> str:
    return f"{printable(name)} ({contract.contract_id(spec)})"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "off" if value is None else str(value)
