"""The first MobileNet, for images of 224 px."""

from torch import Tensor, nn

from ..anatomy import Anatomy


def _separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)"""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class MobileNetV1(nn.Module):
    """MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications (Howard et al., 2017,
    arXiv:1704.04861).

    The layout is that of mdistiller and of code that builds on it, so their checkpoints load. Some of them call this
    network MobileNetV2. The pool takes any image size.
    """

    def __init__(self, num_classes: int):
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.model = nn.Sequential(
            stem,
            _separable(32, 64, 1),
            _separable(64, 128, 2),
            _separable(128, 128, 1),
            _separable(128, 256, 2),
            _separable(256, 256, 1),
            _separable(256, 512, 2),
            *(_separable(512, 512, 1) for _ in range(5)),
            _separable(512, 1024, 2),
            _separable(1024, 1024, 1),
        )
        self.fc = nn.Linear(1024, num_classes)

        stages = ("model.3", "model.5", "model.11", "model.13")
        self.anatomy = Anatomy(
            stem="model.0",
            stages=stages,
            preacts=tuple(f"{stage}.5:in" for stage in stages),
            norms=tuple(f"{stage}.4" for stage in stages),
            map="model.13",
            head="fc",
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C)"""
        x = self.model(images)  # (N, 1024, H / 32, W / 32)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits
