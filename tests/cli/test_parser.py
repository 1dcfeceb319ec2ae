"""The words of a command line: whatever is wrong with them is one sentence, and nothing is touched."""

import errno
import os
from pathlib import Path

import pytest
import torch

from stillhouse.__main__ import main
from stillhouse.bench.jobs import OUT_OF_MEMORY
from stillhouse.cli import parser
from stillhouse.cli.arguments import parse
from stillhouse.cli.options.distill import Distill
from stillhouse.cli.options.train import Train
from stillhouse.cli.parser import run
from tests.helpers.commands import World, contents

Capture = pytest.CaptureFixture[str]

SENTENCES = {
    # commands and options
    "distil": "there is no command 'distil'. Did you mean distill",
    "train --modle x": "stillhouse train has no option --modle. Did you mean --model",
    "train --epoch=3": "stillhouse train has no option --epoch. Did you mean --epochs",
    "train --methods CE": "stillhouse train has no option --methods.",
    "distill -x": "stillhouse distill has no option -x. See stillhouse distill --help",
    "distill --methods CE KD": "unexpected argument 'KD'; a value follows its option, --data digits, and is quoted if",
    "distill epochs=5": "unexpected argument 'epochs=5'; write --epochs=5. See",
    "distill --image-size 16": "stillhouse distill has no option --image-size; it is --image_size. See",
    "train --student resnet8": "stillhouse train has no option --student; the network is --model. See",
    "evaluate resnet9": "there is no file, folder or network resnet9; give the folder of a run, or a network",
    "train --epochs": "--epochs needs a value. See stillhouse train --help",
    "distill --methods": "--methods needs a value. See stillhouse distill --help",
    "distill --topk 5": "stillhouse distill has no option --topk; use --methods 'CE, DSPP(divisor=5)'. See",
    "distill --M [1,2]": "stillhouse distill has no option --M; use --methods 'CE, ScaleDecoupled.refe",
    "distill --alpha 0.9": "stillhouse distill has no option --alpha; use the weights in --methods",
    "distill --kd_T=4": "stillhouse distill has no option --kd_T; use --methods 'CE, KD(temperature=4)'. See",
    "train --weight-decay 1": "stillhouse train has no option --weight-decay; it is --weight_decay. See",
    "train --num-workers 1": "stillhouse train has no option --num-workers; use --workers. See",
    "train --mean 0.5,0.5,0.5": "--mean needs --std as well",
    "distill --teacher_image_size 224": "stillhouse distill has no option --teacher_image_size; all networks see",
    "train --resume": "stillhouse train has no option --resume; run the same command again to resume",
    "train --model wrn-16-2": "there is no network 'wrn-16-2' in the zoo. Nearest: wrn_16_2",
    "cache": "stillhouse cache needs --teacher. See stillhouse cache --help",
    "pick digits --teacher resnet8": "--students names none; write the networks to choose from",
    "evaluate": "stillhouse evaluate needs the folder of a finished run, a safetensors file of one, or a network's",
    "evaluate --model x": "stillhouse evaluate takes the model without --model: stillhouse evaluate MODEL",
    "pick --data x": "stillhouse pick takes the data without --data: stillhouse pick DATA",
    "list colours": "stillhouse list shows methods, models, data, recipes, not colours",
    "list models resnet vgg": "stillhouse list shows methods, models, data, recipes, not models resnet vgg",
    "list models zebra": "none of the models has 'zebra' in its name; see stillhouse list models",
    "check": "stillhouse check takes one word, such as my_method.py:MyMethod, not 0",
    "check KDD": "there is no method 'KDD'. Did you mean",
    # values
    "train --epochs many": "--epochs takes a whole number, not many",
    "train --epochs 1.5": "--epochs takes a whole number, not 1.5",
    "train --epochs 0": "--epochs must be from 1 to 1,000,000, not 0",
    "train --epochs -3": "--epochs must be from 1 to 1,000,000, not -3",
    "train --batch_size 1": "--batch_size must be from 2 (BatchNorm needs two images) to 1,000,000, not 1",
    "train --lr fast": "--lr takes a number, not fast",
    "train --lr -0.1": "--lr must be positive, not -0.1",
    "train --lr nan": "--lr takes a number, not nan",
    "train --momentum 1": "--momentum must be at least 0 and below 1, not 1",
    "train --weight_decay -1": "--weight_decay must be 0 or more, not -1",
    "train --clip_norm -1": "--clip_norm must be 0 or more, not -1",
    "train --nesterov true --momentum 0": "--nesterov needs a --momentum above 0",
    "train --optimizer dot --dot_delta 0.2": "--momentum 0.9 plus and minus --dot_delta 0.2 must stay in [0, 1)",
    "train --schedule linear": "--schedule takes one of 'steps', 'cosine', not linear",
    "train --precision float16": "--precision takes one of 'float32', 'bfloat16', not float16",
    "train --milestones 100,x": "--milestones takes a number, not x",
    "train --image_size big": "--image_size takes a whole number, not big",
    "train --device tpu": "--device takes one of 'auto', 'cpu', 'cuda', not tpu",
    "train --anatomy layer1": "--anatomy takes an anatomy such as '{stages: [layer1, layer2], head: fc}', not layer1",
    # names
    "train --data digts": "there is no data set or folder called 'digts'. Did you mean digits?",
    "train --data /no/where": "there is no folder or file /no/where",
    **{
        f"{words} ~no-such-user/x": "a path begins with ~, and whose home folder that is cannot be told here; write the"
        for words in ("train --data", "evaluate", "report", "runs", "runs resume", "inspect", "bench --folder")
    },
    "train --data PICTURES --model resent8": "there is no network 'resent8' in the zoo. Nearest: resnet8",
    "train --data PICTURES --model timm:resnet81": "timm has no 'resnet81'. Did you mean resnet18",
    "train --data PICTURES --model torchvision:vgg17": "torchvision has no 'vgg17'. Did you mean vgg",
    "train --data PICTURES --model nets.py:small": "there is no file nets.py",
    "train --data PICTURES --model resnet8 --weights pretrained": "there are no pretrained weights for resnet8",
    "train --data PICTURES --model resnet8 --weights x.pth": "there is no file x.pth",
    # networks and weights, before data are read
    "train --data /no/where --model resent8": "there is no network 'resent8' in the zoo. Nearest: resnet8",
    "train --data /no/where --weights x.pth": "there is no file x.pth",
    "train --data /no/where --model nets.py:small": "there is no file nets.py",
    "distill --data /no/where --student resent8": "there is no network 'resent8' in the zoo",
    "distill --data /no/where --student_weights x.pth": "there is no file x.pth",
    "distill --data /no/where --teacher resent8": "there is no network 'resent8' in the zoo",
    "distill --data /no/where --teacher resnet20 --teacher_weights x.pth": "there is no file x.pth",
    "evaluate resnet8 --data /no/where --weights x.pth": "there is no file x.pth",
    "export resnet8 --data /no/where --weights x.pth": "there is no file x.pth",
    "cache --data /no/where --teacher resnet8 --teacher_weights x.pth": "there is no file x.pth",
    "probe resnet8 --data /no/where --weights x.pth": "there is no file x.pth",
    "bench --data /no/where --pairs resnet20-resent8": "there is no network 'resent8' in the zoo",
    "grid --data /no/where --grid student=resnet8,resent8": "there is no network 'resent8' in the zoo",
    # values of data
    "train --data PICTURES --image_size 4": "--image_size must be 8 to 4096 pixels, not 4",
    "train --data PICTURES --validation 1": "--validation must be at least 0 and below 1, not 1",
    "evaluate runs/none": "there is no runs/none",
    "evaluate weights.safetensors": "there is no weights.safetensors; give the folder of a finished run",
    # methods
    "distill --methods KDD": "there is no method 'KDD'. Did you mean",
    "distill --methods KD(temprature=2)": "KD has no argument 'temprature'. Did you mean temperature?",
    "distill --methods KD(temperature='x')": "KD: temperature takes a number, not x",
    "distill --methods ScaleDecoupled(AT)": "ScaleDecoupled takes a LogitMethod as base, such as KD, not AT(",
    "distill --methods CE,,KD": "--methods 'CE,,KD' cannot be read",
    "distill --methods []": "--methods is empty; write CE,KD for example",
    # configurations
    "train --config none.yaml": "--config: there is no file ",
    "train --config PICTURES": "--config takes a YAML file such as a run's config.yaml, which this is not",
    "train --config LIST": "--config takes a YAML file such as a run's config.yaml, which this is not",
    "train --config BROKEN": "--config takes a YAML file such as a run's config.yaml, which this is not",
    "train --config TEACHER/model.safetensors": "--config takes a YAML file such as a run's config.yaml, which this",
    "train --config OTHER": "stillhouse train has no option --student; the network is --model. See",
    "train --config TYPES": "--epochs takes a whole number, not many",
    "train --config CODE": "--config takes a YAML file such as a run's config.yaml, which this is not",
}


@pytest.mark.parametrize("typed", SENTENCES)
def test_what_is_typed_wrong_is_one_sentence(world: World, tmp_path: Path, capsys: Capture, typed: str) -> None:
    files = {
        "LIST": "- 1\n- 2\n",
        "BROKEN": "epochs: [1\n",
        "OTHER": "student: resnet8\n",
        "TYPES": "epochs: many\n",
        "CODE": f"data: !!python/object/apply:os.system ['touch {tmp_path}/trap']\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    places = {"PICTURES": str(world.pictures), "TEACHER": str(world.teacher)} | {n: str(tmp_path / n) for n in files}
    before, here = contents(world.root), contents(tmp_path)
    words = [next((w.replace(n, p) for n, p in places.items() if n in w), w) for w in typed.split(" ")]
    if words[0] in ("train", "distill"):
        words += ["--folder", str(tmp_path / "runs")]
    if words[-3:-2] in (["--epochs"], ["--methods"]):
        words = words[:-2]  # the option is to have no value
    capsys.readouterr()
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out.count("\n") <= 1  # no more than which data were read
    assert err.startswith(f"stillhouse: {SENTENCES[typed]}")
    assert err.count("\n") == 1
    assert contents(world.root) == before
    assert contents(tmp_path) == here


def test_an_empty_list_of_methods_is_refused(capsys: Capture) -> None:
    assert main(["distill", "--methods", ""]) == 2
    assert capsys.readouterr().err == "stillhouse: --methods has an empty value; leave it out or fill it in\n"


@pytest.mark.parametrize("typed", [["--milestones", "1,2"], ["--milestones=1,2"], ["--milestones", "[1, 2]"]])
def test_milestones_need_no_brackets(typed: list[str]) -> None:
    assert parse("train", Train, typed).run.config.milestones == (1.0, 2.0)


def test_methods_may_be_added_one_by_one_and_in_brackets() -> None:
    for typed in (["--methods", "[CE, KD]"], ["--methods", "CE, KD"], ["--methods", "CE", "--methods+=KD"]):
        options = parse("distill", Distill, typed).distillation
        assert [method.name for method in options.method_specs()] == ["CE", "KD"]


def test_a_missing_gpu_is_said_before_data_are_read(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["train", "--data", "/no/where", "--device", "cuda"]) == 2
    assert capsys.readouterr().err.startswith("stillhouse: --device cuda: PyTorch finds no GPU here; use --device cpu")


def test_help_shows_every_option_with_its_meaning(capsys: Capture) -> None:
    for command, option in (("train", "--model"), ("distill", "--methods"), ("evaluate", "model"), ("list", "models")):
        with pytest.raises(SystemExit) as caught:
            main([command, "--help"])
        assert caught.value.code == 0
        shown = capsys.readouterr().out
        assert shown.startswith(f"usage: stillhouse {command} ")
        assert option in shown
        if command == "distill":
            assert "Teacher, student and methods" in shown
            assert "default: CE(weight=0.1), KD(weight=0.9)" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (KeyboardInterrupt(), "interrupted; run the same command again to resume from the last save"),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/x/state.pt"),
            "No space left on device (runs/x/state.pt",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/runs"), "Permission denied (/runs): check that path, or"),
        (OSError("connection lost"), "connection lost: check that path, or choose another --folder"),
    ],
)
def test_what_goes_wrong_outside_is_a_sentence(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, error: BaseException, sentence: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(parser, "_act", fail)
    assert run("train", []) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"stillhouse: {sentence}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to ..."), "the GPU has too little free memory; choose a"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "there is too little memory; cho"),
        (MemoryError(), "there is too little memory; choose"),
    ],
)
def test_too_little_memory_has_an_exit_code_of_its_own(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(parser, "_act", fail)
    assert run("train", []) == OUT_OF_MEMORY
    assert capsys.readouterr().err.startswith(f"stillhouse: {sentence}")


@pytest.mark.parametrize("kind", [TypeError, RuntimeError, KeyError])
def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch, kind: type[Exception]) -> None:
    def fail(*_: object) -> None:
        raise kind("a bug")

    monkeypatch.setattr(parser, "_act", fail)
    with pytest.raises(kind, match="a bug"):
        run("train", [])


def test_a_developer_may_ask_for_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "STILLHOUSE_TRACEBACK", "1")
    with pytest.raises(ValueError, match="--epochs must be from 1 to 1,000,000"):
        main(["train", "--epochs", "0"])


@pytest.mark.parametrize(
    "words",
    [
        "plan digits",
        "pick digits --students a,b",
        "predict resnet8 a.png",
        "export resnet8",
        "cache --teacher resnet8",
        "check KD",
    ],
)
def test_what_one_process_does_is_refused_to_several(
    words: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    command, *arguments = words.split()
    assert run(command, arguments) == 2
    assert f"`stillhouse {command}` is the work of one process; start it without torchrun" in capsys.readouterr().err
