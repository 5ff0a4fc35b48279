"""The tables that a run prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.creates import CLIENTS, Creates
from benchmarks.figures import Figure, Samples, difference, mean, median, percentile_99, pooled, ratio
from benchmarks.ground import FLOOR, OPA, WASM, WAYS, WITHOUT
from benchmarks.stages import STAGES, WHOLE

_MS = 1000
_PAIRS = ((FLOOR, WITHOUT), (OPA, WITHOUT), (OPA, FLOOR), (WASM, WITHOUT), (WASM, FLOOR))


def creates(found: Creates) -> str:
    """What the webhook adds to a pod's creation, and creations a second."""
    latency, speed = found.latencies_s, found.per_second
    rows = [
        [way, *(_ms(pooled(latency[way], at)) for at in (median, percentile_99)), _plain(pooled(speed[way], mean))]
        for way in WAYS
    ]
    head = ["a pod's creation", "p50, ms", "p99, ms", f"a second, {CLIENTS} clients"]
    ratios = [
        [
            f"{over} / {under}",
            *(_ratio(ratio(latency[over], latency[under], at)) for at in (median, percentile_99)),
            _ratio(ratio(speed[over], speed[under], mean)),
        ]
        for over, under in _PAIRS
    ]
    added = [
        [
            f"{over} - {under}",
            *(_ms(difference(latency[over], latency[under], at)) for at in (median, percentile_99)),
            "",
        ]
        for over, under in _PAIRS
    ]
    return _aligned([head, *rows, *ratios, *added])


def stages(found: Mapping[str, Mapping[str, Sequence[Samples]]]) -> str:
    """Where one admission's time goes. `found`: by installation, by stage, a list of rounds in seconds."""
    head = ["one admission, ms"]
    for name in found:
        head += [f"{name}: p50", "p99", "share"]
    rows = []
    for stage in (*STAGES, WHOLE):
        row = [stage]
        for of_stage in found.values():
            whole = pooled(of_stage[WHOLE], mean).value
            share = f"{pooled(of_stage[stage], mean).value / whole:.0%}"
            row += [_ms(pooled(of_stage[stage], at)) for at in (median, percentile_99)] + [share]
        rows.append(row)
    return _aligned([head, *rows])


def _ms(figure: Figure) -> str:
    return f"{figure.value * _MS:.2f} [{figure.low * _MS:.2f}, {figure.high * _MS:.2f}]"


def _ratio(figure: Figure) -> str:
    return f"x{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"


def _plain(figure: Figure) -> str:
    return f"{figure.value:.0f} [{figure.low:.0f}, {figure.high:.0f}]"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)
