"""Networks of timm and torchvision by name, and downloads that fail in seconds with a way out."""

import threading
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import timm
import torch
import torchvision
from torch import nn

from stillhouse.models import libraries
from stillhouse.models.create import network
from stillhouse.models.libraries import is_published, of_timm, of_torchvision

OFFLINE = urllib.error.URLError("no route")


@pytest.mark.parametrize(
    ("name", "what", "way_out"),
    [
        (
            "timm:resnet18",
            r"timm:resnet18 from \S+/timm/resnet18.a1_in1k",
            "pass the file as --teacher_weights instead",
        ),
        (
            "timm:hf-hub:timm/resnet18.a1_in1k",
            r"timm:hf-hub:timm/resnet18.a1_in1k from \S+/timm/resnet18.a1_in1k",
            "name it as the network: timm:local-dir:FOLDER",
        ),
        (
            "torchvision:resnet18",
            r"torchvision:resnet18 from \S+resnet18-\w+.pth",
            "pass the file as --teacher_weights instead of 'pretrained'",
        ),
    ],
)
def test_a_download_that_fails_is_named_with_the_way_out(
    name: str, what: str, way_out: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", MagicMock(side_effect=OFFLINE))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    sentence = rf"the download of {what} failed \(no route\); download it on a machine with a connection, and {way_out}"
    with pytest.raises(ValueError, match=sentence):
        network(name, 10, 32, pretrained=True, option="teacher_")
    if "hf-hub" not in name:
        with pytest.raises(ValueError, match="pass the file as --weights instead of 'pretrained'"):
            network(name, 10, 32, pretrained=True)


def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def silent(*_: object, **__: object) -> MagicMock:
        done.wait()
        return MagicMock()

    monkeypatch.setattr(urllib.request, "urlopen", silent)
    monkeypatch.setattr(libraries, "PATIENCE", -0.9)
    with pytest.raises(ValueError, match="it does not answer"):
        libraries._reach("https://localhost/x", "x", "wait")
    assert not done.is_set()
    done.set()


def test_an_answer_of_any_kind_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = urllib.error.HTTPError("https://localhost", 404, "not found", Message(), None)
    for answer in (MagicMock(), MagicMock(side_effect=refusal)):
        monkeypatch.setattr(urllib.request, "urlopen", answer)
        libraries._reach("https://localhost/x", "x", "wait")


def test_what_was_downloaded_before_is_asked_of_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(libraries, "_reach", MagicMock(side_effect=AssertionError))
    monkeypatch.setattr(libraries, "_is_cached", lambda repository, file: True)
    of_timm("resnet18", 10, 32, pretrained=True)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "resnet18-f37072fd.pth").touch()
    of_torchvision("resnet18", 10, 32, pretrained=True)


def test_a_network_of_a_hub_is_built_by_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "_reach", lambda url, name, way_out: None)
    made = MagicMock(return_value=nn.Linear(2, 2))
    monkeypatch.setattr(timm, "create_model", made)
    assert of_timm("hf-hub:owner/net", 10, 32, pretrained=True)() is made.return_value
    made.assert_called_once_with("hf-hub:owner/net", pretrained=True, num_classes=10, img_size=32)


def test_tags_that_timm_does_not_have_are_refused_with_those_it_has() -> None:
    with pytest.raises(ValueError, match="timm has no weights 'nosuch' of resnet18; it has a1_in1k, a2_in1k"):
        of_timm("resnet18.nosuch", 10, 32, pretrained=False)
    with pytest.raises(ValueError, match=r"timm has no 'no_such_net.a1'"):
        of_timm("no_such_net.a1", 10, 32, pretrained=False)


def test_torchvisions_weights_of_another_normalisation_keep_what_turns_images_into_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = torchvision.models.get_model_builder("googlenet")

    def offline(weights: str | None, **options: object) -> nn.Module:
        net: nn.Module = original(weights=None, **{"init_weights": False, "aux_logits": weights is not None, **options})
        return net

    monkeypatch.setattr(libraries, "_reach", lambda url, name, way_out: None)
    monkeypatch.setattr(torchvision.models, "get_model_builder", lambda name: offline)
    nets = [network("torchvision:googlenet", 3, 64, pretrained=own) for own in (True, False)]
    assert [vars(net)["transform_input"] for net in nets] == [True, False]


def test_torchvisions_own_files_are_known_by_their_names() -> None:
    assert is_published("inception_v3", Path("x/inception_v3_google-0cc3c7bd.pth"))
    assert not is_published("inception_v3", Path("mine.pth"))
    assert not is_published("", Path(""))
