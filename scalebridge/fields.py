"""What a participant reads or writes at its points: unit and shape, said once and checked before a run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from scalebridge.findings import one_of

RANKS = {0: "scalar", 1: "vector", 2: "tensor", 4: "tensor of rank 4"}
PLACES = ("point", "grid", "window", "spikes")


@dataclass(frozen=True)
class Field:
    """Unit and shape of one field.

    Attributes
    ----------
    unit : unit in pint's notation, "1" for a pure number.
    rank : 0 scalar, 1 vector, 2 tensor, 4 tensor that turns one of rank 2 into another, such as a stiffness.
    symmetric : whether a tensor of rank 2 is symmetric (and travels as its upper triangle), one of rank 4 symmetric in
        both pairs of indices and in their exchange, as a stiffness with a potential; else meaningless.
    per : "point" for one value per simulation, "grid" for one value per cell of the micro volume, "window" for one
        value for each of the equal parts of a time window, "spikes" for the times at which the neurons of a population
        have fired in it.
    help : what it is, for people.
    optional : it may be left out: of a micro model's controls, because what drives it otherwise is enough; of what a
        solver reads, because its settings may say so.
    """

    unit: str
    rank: int = 0
    symmetric: bool = True
    per: str = "point"
    help: str = ""
    optional: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.unit, str) or not self.unit.strip():
            raise ValueError(f"a field needs a unit such as 'K', or '1' for a pure number; got {self.unit!r}")
        if self.rank not in RANKS:
            raise ValueError(f"rank of a field is 0, 1, 2 or 4, not {self.rank!r}")
        if self.per not in PLACES:
            raise ValueError(f"what a field is per is {one_of(PLACES)}, not {self.per!r}")
        if self.rank and self.per in PLACES[2:]:
            raise ValueError(f"a field per '{self.per}' is a scalar, not of rank {self.rank}")

    def to_json(self) -> dict[str, Any]:
        """Return the field as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Field:
        """Return the field that `to_json` wrote. Raises ValueError or TypeError if it is not one."""
        return cls(**data)

    def carriers(self, name: str, dimensions: int, present: Collection[str] = ()) -> dict[str, tuple[int, ...]]:
        """Return which preCICE data carry the field `name` in `dimensions` dimensions, and which component each does.

        Scalars and vectors travel under their own name, as a whole: (). A tensor travels as scalars `NAME-ij` or
        `NAME-ijkl`, row by row, of a symmetric one the upper triangle (of rank 4: of the matrix over pairs i <= j).
        Where the data that are `present` say so, the names are without a hyphen, a symmetric tensor sends all its
        components, or, of rank 2, only those of the diagonal.
        """
        if self.rank < 2:
            return {name: ()}
        first = "0" * self.rank
        separator = "" if f"{name}{first}" in present and f"{name}-{first}" not in present else "-"
        indices = product(range(dimensions), repeat=self.rank)
        every = {f"{name}{separator}{''.join(map(str, index))}": index for index in indices}
        if not self.symmetric or every.keys() <= set(present):
            return every
        upper = {data: index for data, index in every.items() if index == min(equals(index))}
        if self.rank == 4:
            return upper
        diagonal = {data: index for data, index in every.items() if index[0] == index[1]}
        only_diagonal = dimensions > 1 and diagonal.keys() == every.keys() & set(present)
        return diagonal if only_diagonal else upper

    @property
    def kind(self) -> str:
        """What a value is called: scalar, vector, tensor."""
        return RANKS[self.rank]

    def data_names(self, name: str, dimensions: int, present: Collection[str] = ()) -> tuple[str, ...]:
        """Return the names of the preCICE data that carry the field, see `carriers`."""
        return tuple(self.carriers(name, dimensions, present))


def equals(index: tuple[int, ...]) -> set[tuple[int, ...]]:
    """Return the components that are the same as this one in a symmetric tensor of rank 2 or 4."""
    if len(index) == 2:
        return {index, index[::-1]}
    i, j, k, l = index  # noqa: E741
    return {pair for a in ((i, j), (j, i)) for b in ((k, l), (l, k)) for pair in (a + b, b + a)}
