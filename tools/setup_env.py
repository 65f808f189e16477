"""Make a virtual environment ready for tevo: `python tools/setup_env.py ENV [what pip installs ...]`.

Standard library only: it runs under the machine's own Python. What it decides, and prints:

* CPU or GPU. Where `nvidia-smi -L` lists no GPU, `tools/constraints-cpu.txt` keeps torch and torchvision at
  a pair with CPU wheels. On Linux those lie at download.pytorch.org; that index is added only when it
  answers within three seconds, because pip waits minutes for an index that does not. Otherwise pip's own
  configuration (an index, `find-links`) decides, and a CUDA build that slipped in is reported at the end.
* torchvision. Where it does not import beside the torch that was installed, the hook of
  `tools/torchvision_ops_hook.py` is put into the environment, and the import is tried again.
"""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE = f"import urllib.request as u; u.urlopen(u.Request('{CPU_INDEX}/torch/', method='HEAD'), timeout=3)"


def say(message: str) -> None:
    """Print at once, so that the line stands before what it announces."""
    print(f"set-up: {message}", flush=True)


def succeeds(command: list[str | Path], timeout_s: float = 120) -> bool:
    """Whether a command ends with status 0 in time."""
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=timeout_s)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def has_gpu() -> bool:
    """Whether the driver lists an NVIDIA GPU."""
    return shutil.which("nvidia-smi") is not None and succeeds(["nvidia-smi", "-L"], timeout_s=30)


def pip_options() -> list[str]:
    """What pip is told beside what to install."""
    if has_gpu():
        say("an NVIDIA GPU: the newest torch with CUDA")
        return []
    options = ["--constraint", str(TOOLS / "constraints-cpu.txt")]
    if platform.system() != "Linux":  # elsewhere PyPI's own wheels are CPU wheels
        say("no NVIDIA GPU: CPU wheels")
    elif succeeds([sys.executable, "-c", PROBE], timeout_s=5):
        say(f"no NVIDIA GPU: CPU wheels from {CPU_INDEX}")
        options += ["--extra-index-url", CPU_INDEX]
    else:
        say("no NVIDIA GPU: CPU wheels, from where pip is configured to look")
    return options


def make_environment(folder: Path) -> Path:
    """Create the environment if it is not there; returns its Python."""
    python = folder / ("Scripts/python.exe" if platform.system() == "Windows" else "bin/python")
    if not python.exists():
        say(f"new environment in {folder} (Python {platform.python_version()})")
        if not succeeds([sys.executable, "-m", "venv", folder]):
            sys.exit(f"set-up: no environment could be made in {folder}; on Debian: apt-get install python3-venv")
    return python


def mend_torchvision(python: Path) -> None:
    """Install the hook where torchvision does not import without it."""
    if succeeds([python, "-c", "import torchvision"]):
        return
    packages = subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    folder = Path(packages.decode().strip())
    shutil.copyfile(TOOLS / "torchvision_ops_hook.py", folder / "torchvision_ops_hook.py")
    (folder / "torchvision_ops_hook.pth").write_text("import torchvision_ops_hook\n")
    if subprocess.run([python, "-c", "import torchvision"]).returncode:
        sys.exit("set-up: torchvision does not import beside this torch; the reason stands above")
    say("torchvision has no compiled operators beside this torch; a hook declares the two that it needs")


def warn_about_cuda(python: Path) -> None:
    """Say when a CPU machine was given a CUDA torch: it works, but it is large."""
    if not has_gpu() and not succeeds([python, "-c", "import sys, torch; sys.exit(torch.version.cuda is not None)"]):
        say(f"pip found no CPU wheel of torch and took the CUDA one (works; 3 GB). CPU wheels: {CPU_INDEX}")


def main() -> None:
    """Environment, packages, hook, check."""
    if sys.version_info < (3, 11):  # noqa: UP036 (this runs under whatever Python the machine has)
        sys.exit(f"set-up: tevo needs Python 3.11 or later, this is {platform.python_version()}; make PYTHON=...")
    folder, wanted = Path(sys.argv[1]), sys.argv[2:] or ["--editable", ".[dev]"]
    python = make_environment(folder)
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pip_options(), *wanted]
    say("installing " + " ".join(wanted))
    if subprocess.run(command).returncode:
        sys.exit("set-up: pip failed; its reason stands above")
    mend_torchvision(python)
    warn_about_cuda(python)
    if subprocess.run([python, "-m", "pip", "check"], stdout=subprocess.DEVNULL).returncode:
        sys.exit("set-up: the installed packages do not fit each other: `pip check` in that environment says which")
    say("done")


if __name__ == "__main__":
    main()
