"""timm's train.py as the host, mixup included: python with_timm.py

timm's pieces stand in the order of its script. What distillation changes there is marked with `# <-`.
"""

from pathlib import Path

import timm
import torch
from timm.data import Mixup, create_dataset, create_loader
from timm.loss import SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import AverageMeter, CheckpointSaver, ModelEmaV3, accuracy, dispatch_clip_grad, random_seed
from torchvision.utils import save_image
from yours import CLASSES, SIZE, images, teacher

from stillhouse import DataInfo, Distiller
from stillhouse.methods import AT, KD

EPOCHS, BATCH = 6, 64


def folders(root: Path) -> Path:
    """Write the images as timm reads them, ROOT/SPLIT/CLASS/NUMBER.png."""
    for split, data in zip(("train", "validation"), images(), strict=True):
        for number, (pixels, label) in enumerate(zip(*data.tensors, strict=True)):
            file = root / split / str(label.item()) / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            save_image((pixels + 1) / 2, file)
    return root


random_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
model = timm.create_model("test_resnet", num_classes=CLASSES).to(device)

root = folders(Path("digits"))
dataset_train, dataset_eval = (create_dataset("", root, split) for split in ("train", "validation"))
about = DataInfo(CLASSES, SIZE, torch.tensor([label for _, label in dataset_train.reader.samples]), BATCH)  # <-
distiller = Distiller(model, teacher(), [KD(), AT()], about).to(device)  # <-  labels are train_loss_fn's, so no CE

optimizer = create_optimizer_v2(distiller, opt="adamw", lr=3e-3, weight_decay=0.05)  # <-  not model: methods learn too
model_ema = ModelEmaV3(model, decay=0.99, use_warmup=True)
shown = {"input_size": (3, SIZE, SIZE), "mean": (0.5,) * 3, "std": (0.5,) * 3, "use_prefetcher": False}
loader_train = create_loader(
    dataset_train, batch_size=BATCH, is_training=True, scale=(0.8, 1), hflip=0, color_jitter=0, num_workers=0, **shown
)
loader_eval = create_loader(dataset_eval, batch_size=128, crop_pct=1.0, num_workers=0, **shown)
mixup_fn = Mixup(mixup_alpha=0.2, cutmix_alpha=1.0, prob=0.5, label_smoothing=0.1, num_classes=CLASSES)
train_loss_fn = SoftTargetCrossEntropy()
updates = len(loader_train)
scheduler, num_epochs = create_scheduler_v2(
    optimizer, "cosine", EPOCHS, warmup_epochs=1, updates_per_epoch=updates, step_on_epochs=False
)
saver = CheckpointSaver(model, optimizer, model_ema=model_ema, max_history=1)  # of the student alone


def train_one_epoch(epoch: int) -> None:
    distiller.train()  # <-  the teacher stays in eval mode
    distiller.begin_epoch(epoch, updates)  # <-
    for number, (pixels, target) in enumerate(loader_train, epoch * updates + 1):
        pixels, target = mixup_fn(pixels.to(device), target.to(device))
        step = distiller(pixels, target)  # <-  instead of output = model(pixels)
        loss = train_loss_fn(step.logits, target) + step.loss  # <-  both networks see the same mixed images
        optimizer.zero_grad()
        loss.backward()
        dispatch_clip_grad(distiller.parameters(), 5.0)
        optimizer.step()
        distiller.after_step()  # <-
        model_ema.update(model, step=number)
        scheduler.step_update(number)


@torch.no_grad()
def validate(net: torch.nn.Module) -> float:
    net.eval()
    top1 = AverageMeter()
    for pixels, target in loader_eval:
        (right,) = accuracy(net(pixels.to(device)), target.to(device))
        top1.update(right.item(), len(pixels))
    return top1.avg


for epoch in range(num_epochs):
    train_one_epoch(epoch)
    top1, of_average = validate(model), validate(model_ema.module)
    print(f"epoch {epoch + 1}: {top1:.2f} %, averaged weights {of_average:.2f} %")
    saver.save_checkpoint(epoch, metric=of_average)
    scheduler.step(epoch + 1)

print(f"{validate(model):.2f} %")
