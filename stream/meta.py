"""What a state says of itself, checked: the contract it was made with, the log it is of, where it stands."""

from typing import Any

from shared.contract import id_of, require_spec
from shared.errors import SourceError, SpecError
from shared.fence import Fence
from shared.shape import OBJECT, TEXT, WHOLE, Each, Shape, parse_json, require
from shared.spec import Spec, from_dict
from stream import state
from stream.stores.protocol import AGAIN, Reader

CONTRACT: Shape = {"id": TEXT, "contract": OBJECT, "spec": OBJECT}
SOURCE: Shape = {"cluster": TEXT, "topic": TEXT}


def state_contract(store: Reader) -> dict[str, Any]:
    """{"id", "contract", "spec"}. SourceError or SpecError for an empty state, or one that is damaged."""
    found: dict[str, Any] | None = stored(store, state.META_CONTRACT, CONTRACT)
    if found is None:
        raise SourceError(f"{store.name} is empty: no consumer has started with it yet")
    state.require_format(store)
    try:
        require_spec(found["contract"], found["spec"])
    except SpecError as error:
        raise SpecError(f"{store.name}: {error}; {AGAIN}") from error
    if id_of(found["contract"]) != found["id"]:
        raise SourceError(f"{store.name}: its contract has not the id {found['id']}; {AGAIN}")
    return found


def state_spec(store: Reader) -> Spec:
    """The spec a state was made with. Raises as `state_contract` does."""
    data = state_contract(store)["spec"]
    try:
        return from_dict(data)
    except SpecError as error:
        raise SpecError(f"the spec of {store.name} cannot be used here: {error}") from error


def state_fence(store: Reader) -> Fence:
    """Where a state stands: everything before it has been applied, and nothing after it."""
    log = stored(store, state.META_SOURCE, SOURCE)
    offsets = stored(store, state.META_OFFSETS, Each(WHOLE))
    if log is None or offsets is None:
        raise SourceError(f"{store.name} does not say what log it is of and where it stands; {AGAIN}")
    data = {"cluster": log["cluster"], "topic": log["topic"], "offsets": offsets}
    return Fence.from_json(data, f"the place in the log that {store.name} names", AGAIN)


def state_counts(store: Reader) -> dict[str, Any]:
    """What the state was given since the beginning, by name."""
    return stored(store, state.META_COUNTS, Each(WHOLE)) or {}


def state_watermark(store: Reader, default: int) -> int:
    """The greatest version time that the state has seen; `default` of no records."""
    (value,) = store.get_many("meta", [state.META_WATERMARK])
    found = default if value is None else parse_json(value, f"the watermark of {store.name}", AGAIN)
    if type(found) is not int:
        raise SourceError(f"the watermark of {store.name} is no whole number; {AGAIN}")
    return found


def stored(store: Reader, name: bytes, shape: Shape) -> Any:
    """What a state says under a name; None: nothing. SourceError where that has another shape."""
    (value,) = store.get_many("meta", [name])
    if value is None:
        return None
    where = f"{store.name}, record {name.decode()} of the family meta"
    found = parse_json(value, where, AGAIN)
    require(found, shape, where, AGAIN)
    return found
