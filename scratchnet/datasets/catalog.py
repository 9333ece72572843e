"""What is known of the data sets that come as IDX files: names, shapes, checksums, where they can be had."""

from __future__ import annotations

from dataclasses import dataclass

BUILT_IN = ("digits", "fashion_mnist", "mnist")
"""All data sets by the names of their modules, which recipes and options use."""


def module_name(name: str) -> str:
    """``fashion-mnist``, as its folder is called, as ``fashion_mnist``; what is no data set stays as it is."""
    found = name.replace("-", "_")
    return found if found in BUILT_IN else name


@dataclass(frozen=True)
class IdxFile:
    """One file: its name without ``.gz``, its shape (uint8), the SHA-256 of its decompressed bytes."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def size(self) -> int:
        """Decompressed bytes, the header included."""
        elements = 1
        for length in self.shape:
            elements *= length
        return 4 + 4 * len(self.shape) + elements

    @property
    def spellings(self) -> tuple[str, ...]:
        """The names under which copies of it are found, the official one first."""
        dotted = self.name.replace("-idx", ".idx")
        return (f"{self.name}.gz", self.name, f"{dotted}.gz", dotted)


@dataclass(frozen=True)
class Dataset:
    """A data set: the folder it lives in, its files, class names and mirrors (base URLs, all HTTPS)."""

    name: str
    files: tuple[IdxFile, IdxFile, IdxFile, IdxFile]  # train images, train labels, test images, test labels
    class_names: tuple[str, ...]
    mirrors: tuple[str, ...]


def _files(*sums: str) -> tuple[IdxFile, IdxFile, IdxFile, IdxFile]:
    train_images, train_labels, test_images, test_labels = sums
    return (
        IdxFile("train-images-idx3-ubyte", (60000, 28, 28), train_images),
        IdxFile("train-labels-idx1-ubyte", (60000,), train_labels),
        IdxFile("t10k-images-idx3-ubyte", (10000, 28, 28), test_images),
        IdxFile("t10k-labels-idx1-ubyte", (10000,), test_labels),
    )


MNIST = Dataset(
    name="mnist",
    files=_files(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    class_names=tuple("0123456789"),
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
)

FASHION_MNIST = Dataset(
    name="fashion-mnist",
    files=_files(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
)

DATASETS = (MNIST, FASHION_MNIST)


def whose(sha256: str) -> str | None:
    """The known file that has this checksum: ``"mnist's t10k-labels-idx1-ubyte"``, or None."""
    for dataset in DATASETS:
        for file in dataset.files:
            if file.sha256 == sha256:
                return f"{dataset.name}'s {file.name}"
    return None
