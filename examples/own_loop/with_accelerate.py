"""Hugging Face Accelerate as the host: accelerate launch with_accelerate.py, or python with_accelerate.py"""

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.utils.data import DataLoader
from yours import CLASSES, SIZE, Numbered, accuracy, images, student, teacher

from stillhouse import DataInfo, Distiller
from stillhouse.methods import AT, CE, KD, SP

EPOCHS, BATCH = 4, 32

accelerator = Accelerator(gradient_accumulation_steps=2, mixed_precision="bf16" if torch.cuda.is_available() else "no")
set_seed(0)
data = images()[0]
loader = DataLoader(Numbered(data), BATCH, shuffle=True, drop_last=True)

# Losses that compare images, such as SP, and memories see the batches of all processes, as one process would.
about = DataInfo(CLASSES, SIZE, labels=data.tensors[1], batch_size=BATCH * accelerator.num_processes)
distiller = Distiller(student(), teacher(), [CE(), KD(), AT(), SP()], about)
optimizer = torch.optim.SGD(distiller.groups(lr=0.05, weight_decay=5e-4), momentum=0.9)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * len(loader))
model, optimizer, loader, schedule = accelerator.prepare(distiller, optimizer, loader, schedule)

for epoch in range(EPOCHS):
    model.train()
    distiller.begin_epoch(epoch, len(loader))
    for pixels, labels, indices in loader:
        with accelerator.accumulate(model):
            step = model(pixels, labels, indices)  # `model` may be wrapped for several processes, so call it
            accelerator.backward(step.loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            if accelerator.sync_gradients:
                distiller.after_step()
    accelerator.print(f"epoch {epoch + 1}: " + ", ".join(f"{k} {v.item():.3f}" for k, v in step.terms.items()))

accelerator.save_state("checkpoint")  # student, methods and optimiser, to resume; the teacher is not in it
accelerator.save(distiller.deploy().state_dict(), "student.safetensors", safe_serialization=True)
accelerator.print(f"{accuracy(distiller.deploy()):.2f} %")
