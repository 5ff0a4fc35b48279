"""What a machine of a provider takes, by its type: from a data file with its source, which a command refreshes.

The file is CSV: `#` lines say where the figures come from, then a header and one line for each machine type.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from importlib.resources import files
from pathlib import Path

from governance.errors import BadInput
from governance.units import ResourceList

GPU = "requests.nvidia.com/gpu"
NEURON = "requests.aws.amazon.com/neuron"
_MIB = 2**20
_GB = 10**9  # as EC2 states the size of instance store volumes


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine type: what one of it has."""

    type: str
    vcpus: int
    memory_mib: int
    gpus: int = 0  # NVIDIA GPUs, as a node would advertise them
    neurons: int = 0  # AWS Inferentia and Trainium devices
    storage_gb: int = 0  # disks of its own

    def footprint(self) -> ResourceList:
        """What it takes while it runs, in ledger units. Its CPUs count as `vcpus`: `requests.cpu` is what pods ask
        for, and a node of a cluster would otherwise be counted twice."""
        return ResourceList(
            {
                "vcpus": self.vcpus,
                "requests.memory": self.memory_mib * _MIB,
                GPU: self.gpus,
                NEURON: self.neurons,
                "requests.storage": self.storage_gb * _GB,
            }
        )


COLUMNS = tuple(one.name for one in fields(Machine))


def read(lines: Iterable[str], name: str) -> dict[str, Machine]:
    """The machine types of a file, by type. Raises BadInput that names the file and line."""
    rows = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    found: dict[str, Machine] = {}
    header, *rest = list(csv.reader(line for _, line in rows)) or [[]]
    if tuple(header) != COLUMNS:
        raise BadInput(f"{name} has other columns than {','.join(COLUMNS)}.", remedy="Refresh it by the command.")
    for (number, _), values in zip(rows[1:], rest, strict=True):
        type_, *counts = values
        if len(values) != len(COLUMNS) or not all(one.isascii() and one.isdigit() for one in counts):
            raise BadInput(f"{name}:{number} is no machine type.", remedy="Refresh it by the command.")
        found[type_] = Machine(type_, *(int(one) for one in counts))
    return found


def write(machines: Mapping[str, Machine], sources: Iterable[str]) -> str:
    """The text of a file that `read` reads: where the figures come from, then the types in order."""
    head = [*(f"# {one}" for one in sources), ",".join(COLUMNS)]
    return "\n".join([*head, *(",".join(map(str, astuple(machines[name]))) for name in sorted(machines))]) + "\n"


def shipped(provider: str) -> dict[str, Machine]:
    """The types that this version knows of a provider (aws, azure)."""
    name = f"machines-{provider}.csv"
    return read((files("webhooks.cloud") / name).read_text().splitlines(), name)


def from_file(path: Path) -> dict[str, Machine]:
    """The types of a file that an installation refreshed itself. Raises BadInput."""
    try:
        return read(path.read_text().splitlines(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        remedy = "Name a file that the refresh command wrote."
        raise BadInput(f"{path} cannot be read: {error}.", remedy=remedy) from None
