"""Participants on the macro scale."""

import contextlib

from adapters import standins

standins.when_describing("dolfinx", "dolfinx_solver", "basix", "ufl", "ffcx", "mpi4py", "petsc4py", "h5py")

with contextlib.suppress(ImportError):  # brings MPI where DOLFINx comes as this wheel, and must come before DOLFINx
    import dolfinx_solver  # noqa: F401
with contextlib.suppress(ImportError):  # breaks where it is imported after dolfinx.fem.petsc
    import h5py  # noqa: F401
