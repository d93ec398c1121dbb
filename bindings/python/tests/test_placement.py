"""Automatic choice: the decisions of a run, what they cannot change, and measuring."""

import adead
import pytest
from conftest import PROGRAMS


def run(backend, explain):
    runtime = adead.Runtime(backend, threads=1)
    instance = adead.Program(PROGRAMS / "digits.hex", runtime=runtime).instance()
    instance.set_explain(explain)
    instance.run()
    return instance


def test_decisions_say_where_operations_ran():
    named, free = run("auto:ref,matmul*=ref", True), run("auto:cpu", True)
    assert named.digest() == free.digest() == run("ref", False).digest()
    rows = named.decisions()
    products = [row for row in rows if row.operation.startswith("MATMUL")]
    assert products and all(row.backend == "ref" and row.reason == "asked for by name" for row in products)
    assert all(row.count >= 1 and row.nanoseconds > 0 and row.backend in row.predicted for row in rows)
    assert all(set(row.dims) == {"m", "n", "k"} and row.dims["n"] > 0 for row in products)
    assert all(list(row.predicted) == ["cpu", "ref"] for row in rows)
    assert {row.backend for row in free.decisions()} == {"cpu"}
    assert len(free.decisions()) == len(rows)


def test_nothing_is_kept_that_was_not_asked_for():
    instance = run("auto:cpu", False)
    assert instance.decisions() == []
    instance.set_explain(True)
    instance.reset()
    instance.run()
    assert instance.decisions()
    assert run("cpu", False).decisions() == []


def test_named_backends_choose_nothing():
    with pytest.raises(adead.BackendError) as caught:
        run("cpu", True)
    assert caught.value.code == adead.Status.BACKEND_UNSUPPORTED and "auto:cpu" in caught.value.hint
    with pytest.raises(adead.BackendError) as caught:
        adead.Runtime("ref").tune()
    assert caught.value.code == adead.Status.BACKEND_UNSUPPORTED
    for rules in ("auto:nothing", "auto:matmul=", "auto:cpu,nothing=cpu"):
        with pytest.raises(adead.BackendError):
            adead.Runtime(rules)


def test_closed_things_explain_nothing():
    instance = run("auto:cpu", True)
    instance.close()
    for use in (instance.decisions, lambda: instance.set_explain(True)):
        with pytest.raises(adead.InvalidState, match="instance is closed"):
            use()
    runtime = adead.Runtime("auto:cpu")
    runtime.close()
    with pytest.raises(adead.InvalidState, match="runtime is closed"):
        runtime.tune()


def test_tune_measures_and_keeps(tmp_path, monkeypatch):
    monkeypatch.setenv("ADEAD_CACHE_DIR", str(tmp_path))
    before = [row.predicted for row in run("auto:ref", True).decisions()]
    assert before and all(p == {"cpu": None, "ref": None} for p in before)
    rows = adead.Runtime("auto:ref", threads=1).tune()
    assert [row.backend for row in rows] == ["cpu", "ref"]
    for row in rows:
        assert min(row.start, row.product, row.product_i8, row.function, row.array) > 0
        assert row.upload == row.download == 0  # nothing is copied to either
    assert [file.name[:5] for file in tmp_path.iterdir()] == ["tune-"]
    after = [row.predicted for row in run("auto:ref", True).decisions()]
    assert len(after) == len(before) and all(p["cpu"] > 0 and p["ref"] > 0 for p in after)


def test_what_is_kept_between_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("ADEAD_CACHE_DIR", "")
    assert adead.cache_folder() is None and adead.cache_files() == []
    monkeypatch.setenv("ADEAD_CACHE_DIR", str(tmp_path))
    assert adead.cache_folder() == tmp_path and adead.cache_files() == []
    adead.Runtime("auto:cpu", threads=1).tune()
    (kept,) = adead.cache_files()
    assert kept.bytes == (tmp_path / kept.name).stat().st_size
    assert kept.modified == int((tmp_path / kept.name).stat().st_mtime)
    assert adead.cache_clear() == 1
    assert adead.cache_files() == [] and list(tmp_path.iterdir()) == []
