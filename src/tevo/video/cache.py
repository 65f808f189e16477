"""Features (or frames) on disk, under names made from what they were computed from.

One safetensors file an entry, memory-mapped on reading. Several processes may share a folder: files appear
whole or not at all, and a name always stands for the same content.
"""

import hashlib
import json
import os
import re
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tevo.errors import TevoError

EVICT_TO = 0.9  # assumed: share of the bound that an eviction leaves, so that not every put evicts
SCAN_EVERY = 0.05  # assumed: share of the bound written by this process after which the folder is measured again
ABANDONED_S = 3600.0  # assumed: a temporary file this old belongs to a process that was killed


def cache_key(video_fingerprint: str, sampling: str, backbone_fingerprint: str) -> str:
    """The name of one video's features: what was read, which times of it, and what looked at them.

    Args:
        video_fingerprint: ``VideoInfo.fingerprint``.
        sampling: whatever tells two samplings apart, say ``"uniform fps=2 max_frames=64 [0.0, 23.4]"``.
        backbone_fingerprint: ``BackboneSpec.fingerprint``.

    Returns:
        40 hexadecimal digits.
    """
    # As JSON, so that no two different triples can be written alike.
    return hashlib.sha256(json.dumps([video_fingerprint, sampling, backbone_fingerprint]).encode()).hexdigest()[:40]


@dataclass(slots=True)
class CacheCounts:
    """What this process met since it opened the cache."""

    hits: int = 0
    misses: int = 0
    damaged: int = 0  # files that could not be read; each is a miss too, and was removed
    evicted: int = 0


class FeatureCache:
    """A folder of tensors with a size bound; the entries used least recently go first.

    Args:
        root: folder, made when missing.
        max_bytes: bound on all files together. Processes that share a folder may exceed it for a moment, each
            by a twentieth.

    Attributes:
        counts: hits, misses, damaged and evicted entries of this process.

    Raises:
        TevoError: a bound that is not positive, or a root that is no folder.
    """

    def __init__(self, root: str | os.PathLike[str], max_bytes: int) -> None:
        if max_bytes < 1:
            raise TevoError(f"max_bytes bounds the cache in bytes and must be at least 1, got {max_bytes}")
        self.root = Path(root)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TevoError(
                f"the cache wants a folder it can write to, got {str(root)!r} ({error.strerror})"
            ) from error
        self.max_bytes = max_bytes
        self.counts = CacheCounts()
        self._lock = threading.Lock()
        self._total = sum(size for _, size, _ in self._entries())
        self._since_scan = 0

    def get(self, key: str) -> dict[str, Tensor] | None:
        """The tensors of a key, memory-mapped from disk, or None. Do not write into them.

        A damaged file counts as absent and is removed.
        """
        path = self._path(key)
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}
        except (SafetensorError, OSError, RuntimeError) as error:
            self.counts.misses += 1
            # Not there, or evicted while it was opened, or no more files may be open: nothing wrong with the file.
            if isinstance(error, SafetensorError) or _is_empty(path):
                self.counts.damaged += 1
                path.unlink(missing_ok=True)
            return None
        _mark_used(path)
        self.counts.hits += 1
        return tensors

    def has(self, key: str) -> bool:
        """Whether there is an entry, without opening it; it may still prove damaged."""
        return self._path(key).is_file()

    def put(self, key: str, tensors: dict[str, Tensor]) -> None:
        """Store tensors under a key; what is larger than the whole bound is not kept."""
        path = self._path(key)
        held = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
        if sum(tensor.nbytes for tensor in held.values()) > self.max_bytes:
            return
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(f"{uuid.uuid4().hex}.tmp")
        try:
            save_file(held, temporary)
            _mark_used(temporary)  # by the clock of `get`: the file system's own is coarser and may lag behind it
            size = temporary.stat().st_size
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        with self._lock:
            self._total += size
            self._since_scan += size
            if self._total > self.max_bytes or self._since_scan > SCAN_EVERY * self.max_bytes:
                self._evict()

    def get_or_make(self, key: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The tensors of a key, made and stored when absent. Two processes may both make them; they agree."""
        tensors = self.get(key)
        if tensors is None:
            tensors = make()
            self.put(key, tensors)
        return tensors

    def _path(self, key: str) -> Path:
        if not re.fullmatch(r"[0-9A-Za-z_-]{4,128}", key):
            raise TevoError(f"a cache key is 4 to 128 letters, digits, - or _ (see cache_key), got {key!r}")
        return self.root / key[:2] / f"{key}.safetensors"

    def _entries(self) -> list[tuple[int, int, Path]]:
        """(last use in ns, bytes, file) of every entry; files that abandoned writers left are swept away."""
        entries = []
        for path in self.root.glob("??/*"):
            try:
                status = path.stat()
                if path.suffix == ".safetensors":
                    entries.append((status.st_atime_ns, status.st_size, path))
                elif path.suffix == ".tmp" and time.time() - status.st_mtime > ABANDONED_S:
                    path.unlink()
            except FileNotFoundError:  # another process was faster
                continue
        return entries

    def _evict(self) -> None:
        """Measure the folder (others write to it too) and drop the oldest entries when it is over the bound."""
        entries = sorted(self._entries())
        self._total = sum(size for _, size, _ in entries)
        self._since_scan = 0
        if self._total <= self.max_bytes:
            return
        for _, size, path in entries:
            if self._total <= EVICT_TO * self.max_bytes:
                break
            path.unlink(missing_ok=True)  # who has it mapped keeps reading it
            self._total -= size
            self.counts.evicted += 1


def _mark_used(path: Path) -> None:
    """Used now, also where mounts keep no time of access."""
    now = time.time_ns()
    with suppress(OSError):
        os.utime(path, ns=(now, now))


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False
