"""Data of your own: a folder of pictures in class folders, a CSV of pixels, and a recipe that trains on the folder.

Run it with ``python examples/own_data.py``. It makes the data first (digits as PNG, and as CSV), prints what the two
readers give, and then what ``scratchnet-train`` says when the recipe is trained and asked about one picture.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import scratchnet as sn

RECIPE = """
[recipe]
name = "pictures"

[data]
dataset = "pictures"      # the folder; "digits.csv" would do as well
image_size = 16           # every picture is stretched to it
test_split = 0.25
shape = [256]

[[layers]]
type = "Dense"
units = 64
activation = "relu"

[[layers]]
type = "Dense"
units = 3

[training]
loss = { name = "sparse_categorical_crossentropy", from_logits = true }
optimizer = "adam"
epochs = 10
"""


def make_data(folder: Path) -> None:
    """Zeros, ones and twos: ``pictures/zero/0.png`` ..., and ``digits.csv`` with a header."""
    (images, labels), _ = sn.datasets.digits.load_data()
    images, labels = images[labels < 3] * 15, labels[labels < 3]
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / "pictures" / ("zero", "one", "two")[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).resize((20, 24)).save(place / f"{number}.png")
    header = ",".join(["label", *(f"pixel{i}" for i in range(64))])
    table = np.column_stack([labels, images.reshape(-1, 64)])
    np.savetxt(folder / "digits.csv", table, fmt="%d", delimiter=",", header=header, comments="")


def scratchnet_train(*words: object) -> str:
    command = [sys.executable, "-m", "scratchnet", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data(folder)

        pictures = folder / "pictures"
        (x_train, y_train), (x_test, y_test), classes = sn.datasets.load_image_folder(pictures, image_size=16)
        print("folder:", x_train.shape, x_train.dtype, x_test.shape, classes)
        (x_train, y_train), (x_test, y_test) = sn.datasets.load_csv(folder / "digits.csv", image_size=8)
        print("csv:", x_train.shape, x_train.dtype, x_test.shape)

        (folder / "pictures.toml").write_text(RECIPE)
        print(scratchnet_train(folder / "pictures.toml", "--out", folder / "run", "--quiet"), end="")
        picture = next((pictures / "two").iterdir())
        print(scratchnet_train("predict", folder / "run", picture), end="")
