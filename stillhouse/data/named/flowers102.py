"""102 Flowers (Nilsback and Zisserman, ICVGIP 2008): photographs of flowers that are common in the United Kingdom."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..image_files import Files
from .facts import Named, holds
from .fetch import Archive
from .listed import listed
from .matlab import load_mat, numbers

# The files number the classes only; these are their names on the web page, in the order of those numbers.
CLASSES = tuple(
    " ".join(name.split())
    for name in [
        "\npink primrose",
        " hard-leaved pocket orchid",
        " canterbury bells",
        " sweet pea",
        " english marigold",
        " tiger lily",
        " moon\norchid",
        " bird of paradise",
        " monkshood",
        " globe thistle",
        " snapdragon",
        " colt's foot",
        " king protea",
        " spear thistle",
        " yellow\niris",
        " globe-flower",
        " purple coneflower",
        " peruvian lily",
        " balloon flower",
        " giant white arum lily",
        " fire lily",
        "\npincushion flower",
        " fritillary",
        " red ginger",
        " grape hyacinth",
        " corn poppy",
        " prince of wales feathers",
        " stemless\ngentian",
        " artichoke",
        " sweet william",
        " carnation",
        " garden phlox",
        " love in the mist",
        " mexican aster",
        " alpine sea holly",
        "\nruby-lipped cattleya",
        " cape flower",
        " great masterwort",
        " siam tulip",
        " lenten rose",
        " barbeton daisy",
        " daffodil",
        " sword\nlily",
        " poinsettia",
        " bolero deep blue",
        " wallflower",
        " marigold",
        " buttercup",
        " oxeye daisy",
        " common dandelion",
        " petunia",
        "\nwild pansy",
        " primula",
        " sunflower",
        " pelargonium",
        " bishop of llandaff",
        " gaura",
        " geranium",
        " orange dahlia",
        " pink-yellow\ndahlia?",
        " cautleya spicata",
        " japanese anemone",
        " black-eyed susan",
        " silverbush",
        " californian poppy",
        " osteospermum",
        "\nspring crocus",
        " bearded iris",
        " windflower",
        " tree poppy",
        " gazania",
        " azalea",
        " water lily",
        " rose",
        " thorn apple",
        " morning\nglory",
        " passion flower",
        " lotus",
        " toad lily",
        " anthurium",
        " frangipani",
        " clematis",
        " hibiscus",
        " columbine",
        " desert-rose",
        " tree\nmallow",
        " magnolia",
        " cyclamen",
        " watercress",
        " canna lily",
        " hippeastrum",
        " bee balm",
        " ball moss",
        " foxglove",
        " bougainvillea",
        "\ncamellia",
        " mallow",
        " mexican petunia",
        " bromelia",
        " blanket flower",
        " trumpet creeper",
        " blackberry lily\n",
    ]
)
_MOST = 10**6  # images
_URL = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"


def read(folder: Path) -> Files:
    """Read jpg/image_00001.jpg, ... with imagelabels.mat, which has the class of each, and setid.mat, which has splits.

    10 images of each class are for training, 10 for validation, the others for testing, as published.
    """
    (classes,) = load_mat(folder / "imagelabels.mat", "labels")
    labels = numbers(classes, folder / "imagelabels.mat", 1, len(CLASSES))
    sets = load_mat(folder / "setid.mat", "trnid", "valid", "tstid")

    def images(part: np.ndarray) -> list[tuple[str, int]]:
        chosen = numbers(part, folder / "setid.mat", 1, min(len(labels), _MOST))
        return [(f"image_{number:05d}.jpg", labels[number - 1] - 1) for number in chosen]

    train, validation, test = map(images, sets)
    return listed(
        *("flowers102", folder, folder / "jpg", CLASSES, "setid.mat and imagelabels.mat"),
        train=train,
        validation=validation,
        test=test,
    )


FLOWERS102 = Named(
    name="flowers102",
    title="102 Flowers (Nilsback and Zisserman, 2008)",
    images=(1020, 1020, 6149),
    classes=102,
    pixels="500 and more",
    licence="not stated",
    page="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
    read=read,
    is_in=holds("jpg", "imagelabels.mat", "setid.mat"),
    folder="flowers-102",
    archives=(
        Archive("102flowers.tgz", f"{_URL}102flowers.tgz", "md5:52808999861908f626f3c1f4e79d11fa", 344_862_509),
        Archive("imagelabels.mat", f"{_URL}imagelabels.mat", "md5:e0620be6f572b9609742df49c70aed4d", 502),
        Archive("setid.mat", f"{_URL}setid.mat", "md5:a5357ecc9cb78c4bef273ce3793fc85c", 14_989),
    ),
    unpacked=350_000_000,
    files=8_200,
)
