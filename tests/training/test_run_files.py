"""The files of a run: what is damaged is refused with a sentence that names the file and a way out."""

import json
import os
from datetime import date
from pathlib import Path

import pytest
import yaml

from stillhouse.training.run_files import dump_rows, loss_terms, read_config, read_result, read_rows
from stillhouse.training.run_folder import Run
from tests.helpers.networks import QuickNet
from tests.training.test_run_folder import OUTCOME, row

WAY_OUT = r"; restore it, or move .* away to train again$"


def finished(root: Path) -> Path:
    with Run(root, "run", {}) as run:
        run.begin()
        run.save({"position": (2, 0)}, [row(1, KD=1.5), row(2, KD=0.5)])
        run.save_best(QuickNet(), {"epoch": 2})
        run.finish(QuickNet(), {"network": "small"}, OUTCOME, QuickNet(width=2))
    return run.folder


def test_terms_of_the_loss_are_told_from_measures_and_observations() -> None:
    assert loss_terms(row(1, CE=1.0, KD=2.0, agreement=9.0) | {"CTKD.temperature": 4.0}) == ["CE", "KD"]


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert read_rows(tmp_path) == []
    rows = [row(1, CE=0.1 + 0.2), row(2, CE=1e-300)]
    (tmp_path / "metrics.jsonl").write_text(dump_rows(rows))
    assert read_rows(tmp_path) == rows


LINE = json.dumps(row(1))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (LINE + "\n{", "Expecting property name"),
        (LINE + "\n" + LINE, "line 2 is for epoch 1"),
        (json.dumps(row(2)), "line 1 is for epoch 2"),
        (LINE + "\n\n", "Expecting value"),
        (LINE.replace("0.5", "NaN", 1), "NaN is not a finite number"),
        (LINE.replace("0.5", "-Infinity", 1), "-Infinity is not a finite number"),
        (LINE.replace("0.5", "1e999", 1), "1e999 is not a finite number"),
        (LINE.replace("0.5", '"0.5"', 1), "'lr' in epoch 1 is not a number"),
        (LINE.replace("0.5", "null", 1), "'lr' in epoch 1 is not a number"),
        (LINE.replace("0.5", "true", 1), "'lr' in epoch 1 is not a number"),
        (LINE.replace('"distillation"', "3"), "'phase' in epoch 1 is not a name"),
        (LINE.replace('"top1"', '"top5"'), "a name occurs twice"),
        (LINE.replace('"top1"', '"top2"'), "epoch 1 has no top1"),
        ("[1]", "it holds a list"),
        ('{"epoch": ' + "[" * 100_000, "nested too deep"),
        ("9" * 10_000, "Exceeds the limit"),
    ],
)
def test_damaged_metrics_are_refused(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(content)
    with pytest.raises(ValueError, match=rf"metrics.jsonl is damaged \(.*{why}.*\){WAY_OUT}"):
        read_rows(tmp_path)


def test_metrics_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=rf"damaged \(it is not text\){WAY_OUT}"):
        read_rows(tmp_path)
    os.truncate(tmp_path / "metrics.jsonl", 10**12)  # a hole, which takes nothing
    with pytest.raises(ValueError, match=rf"damaged \(it has 1,000,000,000,000 bytes\){WAY_OUT}"):
        read_rows(tmp_path)
    (tmp_path / "metrics.jsonl").unlink()
    os.mkfifo(tmp_path / "metrics.jsonl")  # to open it would wait for ever
    with pytest.raises(ValueError, match=rf"damaged \(it is not a file\){WAY_OUT}"):
        read_rows(tmp_path)


def test_folders_without_a_result_say_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no run \(it has no result.json\)"):
        read_result(tmp_path)
    for name in ("state.pt", "metrics.jsonl"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(ValueError, match=r"is not finished; the command that began it continues it"):
            read_result(tmp_path)
        (tmp_path / name).unlink()


@pytest.mark.parametrize(
    "damaged", ['{"top1": 7', "{}", "[]", "3", '{"top1": NaN}', '{"top1": "7"}', "", "[" * 100_000, "\0" * 99]
)
def test_a_damaged_result_is_refused(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "result.json").write_text(damaged)
    with pytest.raises(ValueError, match=rf"(?s)result.json is damaged .*{WAY_OUT}"):
        read_result(tmp_path)


def outcome(folder: Path) -> dict[str, object]:
    """Return the result of a finished run without the hash of its configuration."""
    result = dict(read_result(folder) or {})
    assert str(result.pop("config_hash")).startswith("3 ")
    return result


@pytest.mark.parametrize(
    "name", ["result.json", "student.safetensors", "methods.safetensors", "best.safetensors", "metrics.jsonl"]
)
def test_no_bit_of_a_finished_run_changes_unnoticed(tmp_path: Path, name: str) -> None:
    path = finished(tmp_path) / name
    assert outcome(path.parent) == OUTCOME
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=rf"(?s){name}.*{WAY_OUT}"):
            read_result(path.parent)
    path.write_bytes(whole)
    assert outcome(path.parent) == OUTCOME


def test_the_network_of_another_run_is_noticed(tmp_path: Path) -> None:
    ours, other = finished(tmp_path / "a"), finished(tmp_path / "b")
    (ours / "student.safetensors").write_bytes((other / "student.safetensors").read_bytes())
    with pytest.raises(ValueError, match=rf"student.safetensors is damaged \(it is not what the run wrote\){WAY_OUT}"):
        read_result(ours)


def test_what_nobody_needs_may_be_deleted(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    for name in ("methods.safetensors", "best.safetensors", "metrics.jsonl"):
        (folder / name).unlink()
        assert outcome(folder) == OUTCOME


def test_results_of_version_0_1_0_have_no_checksums(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    (folder / "result.json").write_text(json.dumps(OUTCOME))
    assert read_result(folder) == OUTCOME


def test_a_network_that_is_a_pipe_is_missing(tmp_path: Path) -> None:
    student = finished(tmp_path) / "student.safetensors"
    student.unlink()
    os.mkfifo(student)  # to open it would wait for ever
    with pytest.raises(ValueError, match=r"student.safetensors is missing or cut off"):
        read_result(student.parent)


def test_a_run_that_was_stopped_in_its_first_epoch_has_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path) == []
    (tmp_path / "metrics.jsonl").write_text(dump_rows([]))
    assert read_rows(tmp_path) == []


ALIASES = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


def test_a_configuration_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x: &x [1, 2]\ny: *x\n")
    assert read_config(tmp_path / "a.yaml") == {"x": [1, 2], "y": [1, 2]}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (ALIASES, "its parts are repeated by aliases, which could make it endless"),
        ("x: " + "[" * 3_000, "its brackets are nested too deep"),
        ("x: " + "[" * 50_000, "it has 50,000 brackets"),
        ("x: y\n" * 100_000, "it has 500,000 bytes"),
        ("", "it has 0 bytes"),
        ("!!python/object/apply:os.system [touch owned]", "it is not YAML: could not determine a constructor"),
        ("[1, 2]", "it holds a list"),
    ],
)
def test_a_configuration_that_is_damaged_or_endless_is_refused(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "a.yaml").write_text(content)
    with pytest.raises(ValueError, match=rf"a\.yaml is damaged \({why}.*\); restore it$"):
        read_config(tmp_path / "a.yaml")


def test_a_pipe_in_place_of_a_configuration_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    with pytest.raises(ValueError, match=r"a\.yaml is damaged \(it is not a file\)"):
        read_config(tmp_path / "a.yaml")


@pytest.mark.parametrize("nested", ["- " * 30_000, "[" * 4000])
def test_options_nested_deep_are_refused_and_never_crash(nested: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(nested)
    with pytest.raises(ValueError, match="nested too deep"):
        read_config(tmp_path / "config.yaml")


def test_both_loaders_of_options_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"lr": 0.05, "mean": [0.5, 1e-3], "name": "ä: '*'", "on": None, "yes": True, "pairs": [{"a": {"b": 1}}]}
    text = f"{yaml.safe_dump(content, allow_unicode=True)}date: 2020-01-01\nsame: &one [1]\nagain: *one\n"
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    quick = read_config(path)
    monkeypatch.setattr("yaml.__with_libyaml__", False)
    assert read_config(path) == quick == {**content, "date": date(2020, 1, 1), "same": [1], "again": [1]}
