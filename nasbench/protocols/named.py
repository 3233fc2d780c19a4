"""The named protocols. Where a paper gives no value, the value is ours, and `source` says so."""

from __future__ import annotations

from typing import Any, Final

from nasbench.protocols.protocol import Protocol

NAS2016 = Protocol(
    name="nas2016",
    source=(
        "Zoph and Le 2016 (arXiv 1611.01578), section 4.1. From the paper: CIFAR-10, 5,000 random validation images, "
        "whitening, upsampling and a random 32x32 crop, horizontal flip, 50 epochs, Nesterov momentum 0.9, learning "
        "rate 0.1, weight decay 1e-4. From DenseNet (arXiv 1608.06993, section 4.2), which the paper follows: batch "
        "64, learning rate divided by 10 at 50% and 75% of the training. Ours: images are upsampled to 40 pixels "
        "before the crop."
    ),
    data="cifar10",
    validation=0.1,
    epochs=50,
    batch_size=64,
    optimizer="nesterov",
    learning_rate=0.1,
    momentum=0.9,
    weight_decay=1e-4,
    schedule="step",
    step_milestones=(0.5, 0.75),
    step_factor=0.1,
    enlarge="upsample",
    crop_from=40,
    flip=True,
)

NASNET2017 = Protocol(
    name="nasnet2017",
    source=(
        "Zoph et al. 2017 (arXiv 1707.07012), section 3 and appendix A.1. From the paper: CIFAR-10, 5,000 validation "
        "images, whitening, upsampling to 40x40 and a random 32x32 crop, horizontal flip, 20 epochs, one cosine decay, "
        "momentum 0.9, N = 2. From the CIFAR settings of its released code, as the paper gives no values: batch 32, "
        "learning rate 0.025, weight decay 5e-4, gradient norm clipped at 5, no Nesterov momentum. Ours: F = 32; no "
        "auxiliary head and no drop-path, which the released code uses in trainings of 600 epochs; weight decay also applies "
        "to the scale and shift of BatchNorm."
    ),
    data="cifar10",
    validation=0.1,
    epochs=20,
    batch_size=32,
    optimizer="sgd",
    learning_rate=0.025,
    momentum=0.9,
    weight_decay=5e-4,
    schedule="cosine",
    enlarge="upsample",
    crop_from=40,
    flip=True,
    clip_norm=5.0,
    cells=2,
    filters=32,
)

NASNET_CIFAR = Protocol(
    name="nasnet-cifar",
    source=(
        "Zoph et al. 2017 (arXiv 1707.07012), section 4.1 and appendix A, and its released code. From the code's CIFAR "
        "configuration (tensorflow/models, research/slim/nets/nasnet/nasnet.py): 600 epochs of batch 32, learning rate "
        "0.025 with one cosine decay, momentum 0.9, weight decay 5e-4, gradient norm clipped at 5, auxiliary head with "
        "weight 0.4, N = 6, F = 32, and paths kept with probability 0.6 at the end of training in the last cell "
        "(version 3 of the code's schedule: linear in time and in depth). The paper's rows '+ cutout' add a cutout of "
        "16 pixels: --set cutout=16. Ours: padding with the mean pixel to 40x40 before the crop; 1% of the training "
        "images are validation images; weight decay also applies to the scale and shift of BatchNorm."
    ),
    data="cifar10",
    validation=0.01,
    epochs=600,
    batch_size=32,
    optimizer="sgd",
    learning_rate=0.025,
    momentum=0.9,
    weight_decay=5e-4,
    schedule="cosine",
    enlarge="pad",
    crop_from=40,
    flip=True,
    drop_path_keep=0.6,
    drop_path_by_depth=True,
    auxiliary_weight=0.4,
    clip_norm=5.0,
    cells=6,
    filters=32,
)

DARTS = Protocol(
    name="darts",
    source=(
        "Liu, Simonyan and Yang 2019 (arXiv 1806.09055), appendix A.2, and its released code (cnn/train.py): the final "
        "training on CIFAR-10. 600 epochs of batch 96, learning rate 0.025 with one cosine decay to 0, momentum 0.9, "
        "weight decay 3e-4, gradient norm clipped at 5, cutout of 16 pixels, auxiliary head with weight 0.4, paths kept "
        "with probability 0.8 at the end of training (linear in time, the same in all cells), F = 36, and N = 6, which "
        "are 20 cells. Ours: padding with the mean pixel, not black, to 40x40 before the crop; 1% of the training images "
        "are validation images."
    ),
    data="cifar10",
    validation=0.01,
    epochs=600,
    batch_size=96,
    optimizer="sgd",
    learning_rate=0.025,
    momentum=0.9,
    weight_decay=3e-4,
    schedule="cosine",
    enlarge="pad",
    crop_from=40,
    flip=True,
    cutout=16,
    drop_path_keep=0.8,
    auxiliary_weight=0.4,
    clip_norm=5.0,
    cells=6,
    filters=36,
)

NASBENCH_MACRO = Protocol(
    name="nasbench-macro",
    source=(
        "Su et al. 2021 (arXiv 2103.11922) and the code of its benchmark, NAS-Bench-Macro (train/train.py): CIFAR-10, 50 "
        "epochs of batch 256, momentum 0.9, learning rate 0.1 with a cosine decay to 0, weight decay 5e-4, random flip, 4 "
        "pixels of padding and a random 32x32 crop, 32 initial channels. Ours: 10% of the training images are validation "
        "images, where the code trains with all and publishes the best test accuracy of the 50 epochs; padding with the "
        "mean pixel, not black; batches of an epoch differ by at most one image."
    ),
    data="cifar10",
    validation=0.1,
    epochs=50,
    batch_size=256,
    optimizer="sgd",
    learning_rate=0.1,
    momentum=0.9,
    weight_decay=5e-4,
    schedule="cosine",
    enlarge="pad",
    crop_from=40,
    flip=True,
    filters=32,
)

_NASBENCH201_SOURCE = (
    "Dong and Yang 2020 (arXiv 2001.00326), section 2.2 and table 1, {epochs}. From the paper: CIFAR-10, half of the "
    "training set for validation, random flip, 4 pixels of padding and a random 32x32 crop, Nesterov momentum 0.9, "
    "learning rate 0.1 with a cosine decay to 0, weight decay 5e-4, batch 256, 16 initial filters, N = 5. Ours: our "
    "split seed chooses the half; padding with the mean pixel, not black; batches of an epoch differ by at most one "
    "image."
)

NASBENCH201 = Protocol(
    name="nasbench201",
    source=_NASBENCH201_SOURCE.format(epochs="with the 12 epochs of its reduced training"),
    data="cifar10",
    validation=0.5,
    epochs=12,
    batch_size=256,
    optimizer="nesterov",
    learning_rate=0.1,
    momentum=0.9,
    weight_decay=5e-4,
    schedule="cosine",
    enlarge="pad",
    crop_from=40,
    flip=True,
    cells=5,
    filters=16,
)

NASBENCH201_200 = NASBENCH201.model_copy(
    update={
        "name": "nasbench201-200",
        "source": _NASBENCH201_SOURCE.format(epochs="with the 200 epochs of its full training"),
        "epochs": 200,
    }
)

DIGITS = Protocol(
    name="digits",
    source=(
        "Ours: the 8x8 handwritten digits that scikit-learn contains, for searches that take seconds per child. Three "
        "quarters of the training images (900) are validation images, which makes the validation accuracy precise, and "
        "the training on the rest is so short that architectures differ: among 100 random cells of nasnet:blocks=3 the "
        "validation accuracy ranges from 0.13 to 0.94 (quartiles 0.72, 0.82, 0.88), and Kendall's tau between two "
        "training seeds is 0.70 (benchmarks/digits_agreement.py)."
    ),
    data="digits",
    validation=0.75,
    epochs=4,
    batch_size=20,
    optimizer="nesterov",
    learning_rate=0.1,
    weight_decay=5e-4,
    schedule="cosine",
    cells=1,
    filters=8,
)

DIGITS201 = DIGITS.model_copy(
    update={
        "name": "digits201",
        "source": (
            "Ours: the protocol of the first edition of results/digits201.h5, a table of every distinct cell of "
            "nasbench201. One to two seconds per child on one core. As digits, but N = 3, F = 4 and 6 epochs: with N = "
            "1 and F = 8 of digits, most of these cells score between 0.92 and 0.96, and two training seeds rank them "
            "differently (Kendall's tau 0.43); deeper networks with fewer filters differ more. Among 150 cells, drawn "
            "uniformly from the distinct ones, tau between two seeds is 0.68; with 4 epochs it is 0.61, with 4 epochs "
            "and half the learning rate 0.64 (benchmarks/digits_agreement.py nasbench201 --protocol digits201 --cells "
            "150). Over all 5,425 cells it is 0.61 to 0.64, with validation accuracies from 0.10 to 0.94 (nasbench "
            "table stats)."
        ),
        "epochs": 6,
        "cells": 3,
        "filters": 4,
    }
)

DIGITS201_2 = DIGITS201.model_copy(
    update={
        "name": "digits201-2",
        "source": (
            "Ours: the protocol of results/digits201-2.h5, the second edition of digits201.h5. As digits201, but with portable "
            "kernels, which give the same bits on every x86-64 processor; half of the training images (600) are "
            "validation images; 4 epochs with a one_cycle schedule and a warm-up of a quarter. Chosen among 12 "
            "protocols by trainings of 70 cells with 3 seeds each, 30 of them from the best tenth of the first "
            "edition. Among these 30, the standard deviation between seeds is 0.022 and between cells 0.015 "
            "(digits201: 0.043 and 0.018), so the mean of three seeds separates the best cells. Kendall's tau between "
            "two seeds over all 70 cells is 0.69."
        ),
        "validation": 0.5,
        "epochs": 4,
        "schedule": "one_cycle",
        "warmup": 0.25,
        "kernels": "portable",
    }
)

CIFAR16 = Protocol(
    name="cifar16",
    source=(
        "Ours: the protocol of the table of conv-size on CIFAR-10 as JPEG files, scaled to 16x16 pixels. 45,000 of the "
        "50,000 training images are left by the split, 10,000 of them are used; 5 epochs with a one_cycle schedule, "
        "random flips, portable kernels. Chosen so that a network costs 3 to 9 seconds of one core, and four sizes "
        "tried beforehand score 0.44 to 0.49 on the validation images (chance: 0.1)."
    ),
    data="folder:PATH=cifar10-jpeg-16,size=16",
    validation=0.1,
    train_images=10_000,
    epochs=5,
    batch_size=50,
    optimizer="nesterov",
    learning_rate=0.2,
    weight_decay=1e-4,
    schedule="one_cycle",
    warmup=0.25,
    flip=True,
    cells=1,
    filters=8,
    kernels="portable",
)

_SHORT: Final[dict[str, Any]] = {  # trainings of a few epochs of images as large as CIFAR's
    "optimizer": "nesterov",
    "learning_rate": 0.1,
    "weight_decay": 5e-4,
    "schedule": "one_cycle",
    "warmup": 0.25,
    "enlarge": "pad",
    "crop_from": 40,
    "cells": 1,
    "filters": 8,
}

CIFAR10_QUICK = Protocol(
    name="cifar10-quick",
    source=(
        "Ours: a reduced protocol to try searches on CIFAR-10 on a CPU, about half a minute per child on one core. It "
        "has 1,000 training and 500 validation images, 4 epochs with a one_cycle schedule, N = 1, F = 8. Its scores "
        "rank networks only coarsely; for results use nasnet2017, nas2016 or nasbench201."
    ),
    data="cifar10",
    validation=0.01,
    train_images=1000,
    epochs=4,
    batch_size=25,
    flip=True,
    **_SHORT,
)

IMAGES = Protocol(
    name="images",
    source=(
        "Ours: for one's own images, from 100 to 1,000,000 of them. Batch, epochs and validation share follow from the "
        "number of images, the crop from their side (nasbench.data.fitting); a run says in one line what it chose, and "
        "--set replaces it. Images are padded and cropped, not flipped, because letters and signs are other classes "
        "then: flip=true suits photographs."
    ),
    data="digits",
    fit=("validation", "batch_size", "epochs", "crop_from"),
    **_SHORT,
)
