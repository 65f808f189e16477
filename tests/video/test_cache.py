import os
import subprocess
import sys
import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from tevo.errors import TevoError
from tevo.video import FeatureCache, cache_key

KEYS = [f"{k:02x}" * 20 for k in range(10)]


def features(k=0, size=1000):
    return {"values": torch.full((size,), float(k)), "times_s": torch.arange(3.0)}


def stored(root):
    return sorted(root.glob("*/*.safetensors"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.bool, torch.int64])
def test_what_is_put_comes_back_exactly(tmp_path, dtype):
    cache = FeatureCache(tmp_path, 10**6)
    tensors = {"a": torch.randn(4, 3).to(dtype), "none": torch.zeros(0, 2, dtype=dtype)}
    cache.put(KEYS[0], tensors)
    got = FeatureCache(tmp_path, 10**6).get(KEYS[0])
    assert got.keys() == tensors.keys()
    assert all(torch.equal(got[name], tensors[name]) and got[name].dtype == dtype for name in got)
    assert stored(tmp_path) == [tmp_path / KEYS[0][:2] / f"{KEYS[0]}.safetensors"]


def test_views_and_shared_storage_can_be_put(tmp_path):
    cache = FeatureCache(tmp_path, 10**6)
    base = torch.arange(12.0).reshape(3, 4)
    cache.put(KEYS[0], {"t": base.T, "row": base[1], "all": base})
    got = cache.get(KEYS[0])
    assert torch.equal(got["t"], base.T) and torch.equal(got["row"], base[1])


def test_make_runs_once(tmp_path):
    cache, calls = FeatureCache(tmp_path, 10**6), []

    def make():
        calls.append(1)
        return features(7)

    first, second = cache.get_or_make(KEYS[0], make), cache.get_or_make(KEYS[0], make)
    assert len(calls) == 1
    assert torch.equal(first["values"], second["values"])
    assert (cache.counts.hits, cache.counts.misses, cache.counts.damaged) == (1, 1, 0)


@pytest.mark.parametrize("keep", [0, 4, 60, 0.5, -1])
def test_a_damaged_file_is_a_miss_and_is_made_again(tmp_path, keep):
    cache = FeatureCache(tmp_path, 10**6)
    cache.put(KEYS[0], features(1))
    (path,) = stored(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep])
    assert cache.get(KEYS[0]) is None
    assert not path.exists()
    assert (cache.counts.damaged, cache.counts.misses) == (1, 1)
    assert float(cache.get_or_make(KEYS[0], lambda: features(2))["values"][0]) == 2.0
    assert float(cache.get(KEYS[0])["values"][0]) == 2.0


def test_trouble_of_the_machine_is_a_miss_that_costs_no_entry(tmp_path, monkeypatch):
    def crowded(*args, **kwargs):
        raise OSError("too many open files")

    cache = FeatureCache(tmp_path, 10**6)
    cache.put(KEYS[0], features(1))
    with monkeypatch.context() as patch:
        patch.setattr("tevo.video.cache.safe_open", crowded)
        assert cache.get(KEYS[0]) is None
    assert cache.get(KEYS[0]) is not None
    assert cache.counts.damaged == 0


def test_the_entries_used_least_recently_go_first(tmp_path):
    size = 4000
    cache = FeatureCache(tmp_path, 5 * size * 4 + 2000)
    for k in range(4):
        cache.put(KEYS[k], features(k, size))
        os.utime(stored(tmp_path)[k], ns=(10**9 * (k + 1), 10**9))
    assert cache.get(KEYS[0]) is not None  # now the most recently used
    for k in range(4, 6):
        cache.put(KEYS[k], features(k, size))
    held = {path.stem for path in stored(tmp_path)}
    assert KEYS[0] in held and KEYS[5] in held and KEYS[1] not in held
    assert sum(path.stat().st_size for path in stored(tmp_path)) <= cache.max_bytes
    assert cache.counts.evicted == 6 - len(held)


def test_the_bound_counts_what_was_there_before_and_what_others_write(tmp_path):
    for k in range(5):
        FeatureCache(tmp_path, 10**7).put(KEYS[k], features(k, 4000))
    mine, other = FeatureCache(tmp_path, 60_000), FeatureCache(tmp_path, 60_000)
    mine.put(KEYS[5], features(5, 4000))
    other.put(KEYS[6], features(6, 4000))
    assert sum(path.stat().st_size for path in stored(tmp_path)) <= 60_000


def test_a_tensor_in_use_outlives_its_eviction(tmp_path):
    cache = FeatureCache(tmp_path, 40_000)
    cache.put(KEYS[0], features(3, 8000))
    held = cache.get(KEYS[0])["values"]
    cache.put(KEYS[1], features(4, 8000))
    assert cache.get(KEYS[0]) is None
    assert bool((held == 3.0).all())


def test_what_was_just_written_is_younger_than_what_was_just_read(tmp_path, monkeypatch):
    """Also where the file system's clock lags behind."""
    cache = FeatureCache(tmp_path, 40_000)
    cache.put(KEYS[0], features(3, 8000))
    cache.get(KEYS[0])

    def late(tensors, path):
        save_file(tensors, path)
        os.utime(path, (0, 0))

    monkeypatch.setattr("tevo.video.cache.save_file", late)
    cache.put(KEYS[1], features(4, 8000))
    assert not cache.has(KEYS[0]) and cache.has(KEYS[1])


def test_what_is_larger_than_the_bound_is_not_kept(tmp_path):
    cache = FeatureCache(tmp_path, 1000)
    cache.put(KEYS[0], features(0, 4000))
    assert stored(tmp_path) == [] and cache.get(KEYS[0]) is None


def test_what_killed_writers_left_is_swept(tmp_path):
    left, fresh = tmp_path / "ab/dead.tmp", tmp_path / "ab/busy.tmp"
    left.parent.mkdir()
    for path in (left, fresh):
        path.write_bytes(b"half")
    os.utime(left, (time.time() - 7200, time.time() - 7200))
    FeatureCache(tmp_path, 1000)
    assert not left.exists() and fresh.exists()


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*args):
        raise OSError("no space left")

    cache = FeatureCache(tmp_path, 10**6)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        cache.put(KEYS[0], features())
    assert list(tmp_path.glob("*/*")) == []


CONTENDER = """
import sys, torch
from tevo.video import FeatureCache
root, seed = sys.argv[1], int(sys.argv[2])
cache = FeatureCache(root, 150_000)
torch.manual_seed(seed)
for step in range(300):
    k = int(torch.randint(12, ()))
    got = cache.get_or_make(f"{k:040d}", lambda: {"values": torch.full((4000,), float(k)), "k": torch.tensor(k)})
    assert int(got["k"]) == k and bool((got["values"] == k).all()), k
assert cache.counts.damaged == 0
print(cache.counts.hits, cache.counts.evicted)
"""


def test_four_processes_share_a_folder(tmp_path):
    commands = [[sys.executable, "-c", CONTENDER, str(tmp_path), str(seed)] for seed in range(4)]
    running = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for c in commands]
    results = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0] * 4, results
    hits, evicted = (sum(int(out.split()[i]) for out, _ in results) for i in (0, 1))
    assert hits > 0 and evicted > 0
    assert not list(tmp_path.glob("*/*.tmp"))
    assert sum(path.stat().st_size for path in stored(tmp_path)) <= 150_000 + 4 * 17_000


def test_keys_that_are_no_names_are_refused(tmp_path):
    cache = FeatureCache(tmp_path, 1000)
    for key in ("", "../../etc/passwd", "a/b/c/d", "key with space"):
        with pytest.raises(TevoError, match="cache key"):
            cache.get(key)


def test_a_root_that_is_a_file_and_a_bound_of_nothing_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TevoError, match="folder"):
        FeatureCache(tmp_path / "file", 1000)
    with pytest.raises(TevoError, match="max_bytes"):
        FeatureCache(tmp_path, 0)


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), min_size=2, max_size=2, unique=True))
def test_different_contents_have_different_keys(parts):
    first, second = (cache_key(*part) for part in parts)
    assert first != second
    assert first == cache_key(*parts[0]) and len(first) == 40 and first.isalnum()
