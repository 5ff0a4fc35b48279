"""The real parts that tests start: where they are, and how they come to be there.

`python tools/parts.py` prepares every part; `python tools/parts.py policy` only that one. Tests call the same
functions, so a part that is missing is made when it is first asked for. What is built stands outside the checkout, in
a folder named after its pins ($GOVERNANCE_CACHE, else $XDG_CACHE_HOME/governance-parts), and is built once.

Only the standard library is used: this file runs before the virtual environment exists.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
POSTGRES_FOLDERS = "/usr/lib/postgresql"
UV = "0.13.9"
KUBERNETES = "v1.37.2"
VERSION = "k8s.io/component-base/version"
LDFLAGS = f"-s -w -X {VERSION}.gitVersion={KUBERNETES} -X {VERSION}.gitMajor=1 -X {VERSION}.gitMinor=37"
CLUSTER_PROGRAMS = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
    "etcd": "./etcd",
    "quota-oracle": "./quota-oracle",
}
POLICY_PROGRAMS = ("opa", "regal")
KWOK_STAGES = ("node/fast", "node/heartbeat-with-lease", "pod/fast")


class PartMissingError(RuntimeError):
    """A part can't be prepared on this machine; the message says what to run."""


def cluster_program(name: str) -> Path:
    """The path of a control plane program; a copy in $KUBEBUILDER_ASSETS comes first."""
    return _from_assets(name) or cluster() / "bin" / name


def cluster() -> Path:
    """Build what $KUBEBUILDER_ASSETS lacks of the control plane; the folder holds bin/ and kwok-stages/."""
    wanted = {name: package for name, package in CLUSTER_PROGRAMS.items() if not _from_assets(name)}

    def build(target: Path) -> None:
        _go_build(TOOLS / "cluster", wanted, target)
        _copy_kwok_stages(target / "kwok-stages")

    return _once("cluster", _key(TOOLS / "cluster", LDFLAGS, *wanted, *KWOK_STAGES), build)


def policy() -> Path:
    """Build OPA and Regal; the folder holds bin/opa and bin/regal."""
    source = TOOLS / "policy"

    def build(target: Path) -> None:
        for name in POLICY_PROGRAMS:
            _go_build(source / name, {name: f"github.com/open-policy-agent/{name}"}, target)

    return _once("policy", _key(source, LDFLAGS), build)


def oidc() -> Path:
    """Install the OpenID provider's npm packages; the folder holds provider.mjs and node_modules/."""
    source = TOOLS / "oidc"

    def build(target: Path) -> None:
        for name in ("package.json", "package-lock.json", "provider.mjs"):
            shutil.copy(source / name, target / name)
        _run([_command("npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts"], target)

    return _once("oidc", _key(source), build)


def uv() -> Path:
    """The installer of Python packages: the one on PATH, else one of our own; the path of its program."""
    on_path = shutil.which("uv")
    if on_path and subprocess.run([on_path, "--version"], check=False, capture_output=True).returncode == 0:
        return Path(on_path)

    def build(target: Path) -> None:
        _run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target), f"uv=={UV}"], target)

    return _once("uv", UV, build) / "bin" / "uv"


def postgres() -> Path:
    """The folder of PostgreSQL's programs: the newest of Debian's, else the one on PATH."""
    return _system(_find_postgres, "postgresql")


def chromium() -> Path:
    """The path of a Chromium that Playwright can drive."""
    return _system(_find_chromium, "chromium", "fonts-liberation")


PARTS: dict[str, Callable[[], Path]] = {
    "uv": uv,
    "postgres": postgres,
    "chromium": chromium,
    "oidc": oidc,
    "policy": policy,
    "cluster": cluster,
}


def cache() -> Path:
    """The folder that holds what is built, outside every checkout."""
    named = os.environ.get("GOVERNANCE_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else base / "governance-parts"


def _once(part: str, key: str, build: Callable[[Path], None]) -> Path:
    """Build a part into a folder of its own, then give it its name in one step; who comes second waits and finds it."""
    folder = cache() / f"{part}-{key}"
    if folder.is_dir():
        return folder
    cache().mkdir(parents=True, exist_ok=True)
    with _lock(cache() / f"{part}.lock"):
        if not folder.is_dir():
            _say(f"building {part} into {folder} (once per machine and pins)")
            with tempfile.TemporaryDirectory(prefix=f"{part}-", dir=cache()) as scratch:
                target = Path(scratch) / part
                target.mkdir()
                build(target)
                target.rename(folder)
    return folder


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _key(source: Path, *extra: str) -> str:
    digest = hashlib.sha256("\0".join(extra).encode())
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        if file.suffix in {".go", ".mod", ".sum", ".json", ".mjs"} and "node_modules" not in file.parts:
            digest.update(file.relative_to(source).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _go_build(source: Path, programs: dict[str, str], target: Path) -> None:
    go = _command("go")
    for name, package in programs.items():
        _say(f"  go build {name}")
        out = str(target / "bin" / name)
        _run([go, "build", "-trimpath", "-ldflags", LDFLAGS, "-o", out, package], source)


def _copy_kwok_stages(target: Path) -> None:
    show = [_command("go"), "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"]
    module = subprocess.run(show, cwd=TOOLS / "cluster", check=True, capture_output=True, text=True).stdout.strip()
    target.mkdir()
    for stage in KWOK_STAGES:
        for file in (Path(module) / "kustomize/stage" / stage).glob("*.yaml"):
            if file.name != "kustomization.yaml":
                shutil.copyfile(file, target / file.name)


def _from_assets(name: str) -> Path | None:
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    path = Path(folder) / name if folder else None
    return path if path and path.is_file() else None


def _find_postgres() -> Path | None:
    debian = sorted(Path(POSTGRES_FOLDERS).glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = debian[-1] if debian else shutil.which("initdb")
    return Path(found).parent if found else None


def _find_chromium() -> Path | None:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return Path(found) if found else None


def _system(find: Callable[[], Path | None], *packages: str) -> Path:
    found = find()
    if found is None:
        _apt_install(packages)
        found = find()
    if found is None:
        message = f"{packages[0]} is installed but its programs were not found"
        raise PartMissingError(message)
    return found


def _apt_install(packages: tuple[str, ...]) -> None:
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        message = f"{packages[0]} is missing; run as root: {' '.join(install)}"
        raise PartMissingError(message)
    cache().mkdir(parents=True, exist_ok=True)
    with _lock(cache() / "apt.lock"):
        _say(f"installing {', '.join(packages)}")
        # RUNLEVEL=1 keeps Debian's scripts from starting a server of their own.
        quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        _run(["apt-get", "update", "-q"], TOOLS, **quiet)
        _run(install, TOOLS, **quiet)


def _command(name: str) -> str:
    found = shutil.which(name)
    if not found:
        needs = {"go": "Go 1.26 or newer", "npm": "Node.js 20 or newer with npm"}
        message = f"{name} is not on PATH; install {needs[name]}"
        raise PartMissingError(message)
    return found


def _run(command: list[str], folder: Path, **environment: str) -> None:
    subprocess.run(command, cwd=folder, check=True, env=os.environ | environment, stdout=sys.stderr)


def _say(text: str) -> None:
    print(f"parts: {text}", file=sys.stderr, flush=True)


def main(names: list[str]) -> int:
    """Prepare the named parts, or all; print one line a part: its name and its place."""
    try:
        for name in names or PARTS:
            print(f"{name} {PARTS[name]()}", flush=True)
    except (PartMissingError, subprocess.CalledProcessError) as error:
        _say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
