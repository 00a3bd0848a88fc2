"""Errors that a user sees: one sentence that says what is wrong, where, and what to do.

Exit statuses: 0 done / parity, 1 differences over the gates, 2 cannot do it (bad input, spec,
contract or environment), 130 interrupted. Only `cli/main.py` turns an error into a status.
"""

import errno

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The disk, or what this user or process may have of it, is full."""

UNUSABLE = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ELOOP,
    errno.ENAMETOOLONG,
)
"""A path may not be used, or not as what it should be: whoever named it can tell."""


class CrossfadeError(Exception):
    """Something the user can act on. `str(error)` is the whole message; no traceback is shown."""

    exit_status = 2


class SpecError(CrossfadeError):
    """The spec cannot be read or says something that cannot be."""


class ContractError(CrossfadeError):
    """Two artefacts have different contracts. Nothing was read or written past that point."""


class SourceError(CrossfadeError):
    """Input (a folder, file, topic, lake or run) is missing, malformed or damaged."""


class TransientError(CrossfadeError):
    """I/O that failed although it was retried. Nothing was decided; run again when it is back."""
