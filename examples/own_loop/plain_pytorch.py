"""Plain PyTorch as the host: python plain_pytorch.py"""

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader
from yours import CLASSES, SIZE, Numbered, accuracy, images, student, teacher

from stillhouse import DataInfo, Distiller
from stillhouse.methods import CE, CRD, KD, FitNet

EPOCHS, BATCH, PARTS = 4, 32, 2  # each step of the optimiser adds up the gradients of so many batches

torch.manual_seed(0)
device = "cuda" if torch.cuda.is_available() else "cpu"
data = images()[0]
loader = DataLoader(Numbered(data), BATCH, shuffle=True, drop_last=True)

about = DataInfo(CLASSES, SIZE, labels=data.tensors[1], batch_size=BATCH)
methods = [CE(), KD(), FitNet(weight=10), CRD(num_negatives=512)]
distiller = Distiller(student(), teacher(), methods, about).to(device)  # the teacher moves along, and is never trained
# Parameters of methods, such as FitNet's layers, are trained too: `groups` has them, and so has `parameters`.
optimizer = torch.optim.SGD(distiller.groups(lr=0.05, weight_decay=5e-4), momentum=0.9)
schedule = CosineAnnealingLR(optimizer, EPOCHS)

for epoch in range(EPOCHS):
    distiller.train()  # the teacher stays in eval mode
    distiller.begin_epoch(epoch, len(loader))
    for number, (pixels, labels, indices) in enumerate(loader, 1):
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):  # losses stay in float32
            step = distiller(pixels.to(device), labels.to(device), indices.to(device))
        (step.loss / PARTS).backward()
        if number % PARTS == 0 or number == len(loader):  # no gradient is left over for the next epoch
            torch.nn.utils.clip_grad_norm_(distiller.parameters(), 5.0)
            optimizer.step()
            optimizer.zero_grad()
            distiller.after_step()
    schedule.step()
    terms = ", ".join(f"{name} {value.item():.3f}" for name, value in step.terms.items())
    print(f"epoch {epoch + 1}: {terms}")

torch.save(distiller.deploy().state_dict(), "student.pt")  # the student alone, without FitNet's layers
print(f"{accuracy(distiller.deploy()):.2f} %")
