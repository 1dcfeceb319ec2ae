"""Lightning as the host: python with_lightning.py"""

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.utils.data import DataLoader
from yours import CLASSES, SIZE, Numbered, accuracy, images, student, teacher

from stillhouse import DataInfo, Distiller
from stillhouse.methods import CE, KD, FitNet

EPOCHS, BATCH = 4, 64


class Distilled(lightning.LightningModule):
    """A student that learns from a teacher; a checkpoint holds the student and its methods, not the teacher."""

    def __init__(self, labels: Tensor):
        super().__init__()
        about = DataInfo(CLASSES, SIZE, labels, batch_size=BATCH)  # that of all processes together
        self.distiller = Distiller(student(), teacher(), [CE(), KD(), FitNet(weight=10)], about)

    def on_train_epoch_start(self) -> None:
        self.distiller.begin_epoch(self.current_epoch, int(self.trainer.num_training_batches))

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], number: int) -> Tensor:
        step = self.distiller(*batch)
        self.log_dict(step.terms)
        return step.loss

    def on_train_batch_end(self, outputs: object, batch: object, number: int) -> None:
        self.distiller.after_step()

    def validation_step(self, batch: tuple[Tensor, Tensor], number: int) -> None:
        pixels, labels = batch
        right = (self.distiller.student(pixels).argmax(1) == labels).float().mean()
        self.log("right", right, prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = torch.optim.SGD(self.distiller.groups(lr=0.05, weight_decay=5e-4), momentum=0.9)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)]


if __name__ == "__main__":
    lightning.seed_everything(0)
    train, held_out = images()
    trainer = lightning.Trainer(
        max_epochs=EPOCHS, precision="bf16-mixed" if torch.cuda.is_available() else "32-true", gradient_clip_val=5.0,
        logger=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    module = Distilled(train.tensors[1])
    loaders = DataLoader(Numbered(train), BATCH, shuffle=True, drop_last=True), DataLoader(held_out, 128)
    trainer.fit(module, *loaders)
    torch.save(module.distiller.deploy().state_dict(), "student.pt")  # the student alone
    print(f"{accuracy(module.distiller.deploy()):.2f} %")
