"""Faults in code: one function of the stream's path says something else, and the contract does not know.

Each is a context manager that is open while the stream applies the log; the batch keeps the right code.
"""

from collections.abc import Sequence

from bench.faults.code_events import EVENT_FAULTS
from bench.faults.code_features import SIGNATURE_FAULTS, TEXT_FAULTS
from bench.faults.code_index import BUCKET_FAULTS, CLUSTER_FAULTS, MATCH_FAULTS, THRESHOLD_FAULTS
from bench.faults.code_pictures import PICTURE_FAULTS
from parity.faults import Fault

CODE_FAULTS: Sequence[Fault] = (
    *EVENT_FAULTS,
    *TEXT_FAULTS,
    *SIGNATURE_FAULTS,
    *BUCKET_FAULTS,
    *THRESHOLD_FAULTS,
    *MATCH_FAULTS,
    *CLUSTER_FAULTS,
)
# No two heads are equally near to a picture, and none that matches shares no bucket with it.
_NOT_IN_PICTURES = ("ties go to the latest head", "the head check is skipped")
PICTURE_CODE_FAULTS: Sequence[Fault] = (
    *EVENT_FAULTS,
    *PICTURE_FAULTS,
    *SIGNATURE_FAULTS,
    *BUCKET_FAULTS,
    *MATCH_FAULTS,
    *(fault for fault in CLUSTER_FAULTS if fault.name not in _NOT_IN_PICTURES),
)
