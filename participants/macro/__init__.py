"""Participants on the macro scale."""

import contextlib

with contextlib.suppress(ImportError):  # brings MPI where DOLFINx comes as this wheel, and must come before DOLFINx
    import dolfinx_solver  # noqa: F401
