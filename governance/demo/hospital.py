"""The hospital of the demo: the manifests of examples/, and a freeze that holds now."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

_PACKAGED = Path(__file__).parent / "hospital"
_IN_CHECKOUT = Path(__file__).parents[2] / "examples" / "hospital"
FREEZE_LASTS = timedelta(hours=6)
CLUSTER = "imaging-onprem-1"


def manifests() -> Path:
    """The folder of manifests: `examples/hospital/`, which a wheel carries as `governance/demo/hospital/`."""
    return _PACKAGED if _PACKAGED.is_dir() else _IN_CHECKOUT


def write_freeze(folder: Path, now: datetime) -> datetime:
    """Write the manifest of a freeze of research that has begun an hour ago. Returns when it ends."""
    begins, ends = now - timedelta(hours=1), (now + FREEZE_LASTS).replace(second=0, microsecond=0)
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//St. Elisabeth Hospitals//Change freezes//EN",
        "BEGIN:VEVENT",
        "UID:go-live@st-elisabeth.example",
        f"DTSTAMP:{begins:%Y%m%dT%H%M%SZ}",
        f"DTSTART:{begins:%Y%m%dT%H%M%SZ}",
        f"DTEND:{ends:%Y%m%dT%H%M%SZ}",
        "SUMMARY:Go-live of the new picture archive",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    (folder / "go-live.ics").write_bytes("\r\n".join(lines).encode())
    (folder / "go-live.yaml").write_text(
        "apiVersion: governance.io/v1\nkind: FreezeCalendar\nmetadata: {name: go-live}\n"
        "spec: {at: st-elisabeth, environments: [research], file: go-live.ics}\n",
        encoding="utf-8",
    )
    return ends
