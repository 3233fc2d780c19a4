"""The named protocols. If a paper gives no value, the value is ours and `source` says so."""

from __future__ import annotations

from nasbench.protocols.protocol import Protocol

NAS2016 = Protocol(
    name="nas2016",
    source=(
        "Zoph and Le 2016 (1611.01578), section 4.1: CIFAR-10, 5,000 random validation images, whitening, upsampling and a random "
        "32x32 crop, horizontal flip, 50 epochs, Nesterov momentum 0.9, learning rate 0.1, weight decay 1e-4. "
        "Batch 64 and the drops by 10 at 50% and 75% are DenseNet's settings (1608.06993, section 4.2), to which the paper points. "
        "Ours: the side of 40 pixels before the crop."
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
        "Zoph et al. 2017 (1707.07012), section 3 and appendix A.1: CIFAR-10, 5,000 validation images, whitening, upsampling to 40x40 "
        "and a random 32x32 crop, horizontal flip, 20 epochs, one cosine period, momentum 0.9, N = 2. "
        "Ours, as the paper is silent: F = 32; and, from the released code's CIFAR settings, batch 32, learning "
        "rate 0.025, weight decay 5e-4, gradient norm clipped at 5, no Nesterov. Auxiliary head and drop-path, which the released "
        "code has for 600 epochs, are off."
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
        "Zoph et al. 2017 (1707.07012), section 4.1 and appendix A, and the CIFAR configuration of its released code (tensorflow/models, "
        "research/slim/nets/nasnet/nasnet.py): 600 epochs of batch 32, learning rate 0.025 with one cosine period, momentum 0.9, weight "
        "decay 5e-4, gradient norm clipped at 5, auxiliary head 0.4, paths kept 0.6 at the end of training in the last cell (that code's schedule v3: linear in time and in depth), N = 6, F = 32. Its '+ cutout' rows add cutout of "
        "16 pixels: --set cutout=16. Ours: zero padding to 40; 1% of the training images validate; "
        "weight decay also acts on BatchNorm's scale and shift."
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

NASBENCH201 = Protocol(
    name="nasbench201",
    source=(
        "Dong and Yang 2020 (2001.00326), section 2.2 and table 1, with the 12 epochs of its search protocol: CIFAR-10, half of the "
        "training set for validation, random flip, crop of 32 from 4 pixels of padding, Nesterov momentum 0.9, learning rate 0.1 "
        "annealed to 0 by a cosine, weight decay 5e-4, batch 256, 16 initial channels, N = 5. "
        "Ours: the half is drawn by our split seed; padding is the mean pixel, not black; an epoch is cut into equal batches."
    ),
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
        "source": NASBENCH201.source.replace("with the 12 epochs of its search protocol", "with its 200 epochs"),
        "epochs": 200,
    }
)

DIGITS = Protocol(
    name="digits",
    source=(
        "Ours: the 8x8 handwritten digits that scikit-learn embeds, for searches of seconds a child. Three quarters of the training "
        "images validate, so that their accuracy is measured finely (900 images), and the 4 epochs on the rest are few enough "
        "that architectures spread: on 100 random cells of nasnet:blocks=3 validation accuracy runs from 0.13 to 0.94 (quartiles 0.72, "
        "0.82, 0.88), and Kendall's tau between two training seeds is 0.70 (benchmarks/digits_agreement.py)."
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
            "Ours: the protocol of the shipped table results/digits201.h5, every distinct cell of nasbench201 on the embedded digits: one to two "
            "seconds a child on one core. As digits, but N = 3, F = 4 and 6 epochs: with digits' own N = 1 and F = 8 these cells crowd between "
            "0.92 and 0.96 and seeds disagree about them (Kendall's tau 0.43); small filters in deeper stacks spread them. Among 150 cells, each "
            "distinct one as likely as another, tau between two seeds is 0.68, with 4 epochs 0.61, with 4 of half the learning rate 0.64 "
            "(benchmarks/digits_agreement.py nasbench201 --protocol digits201 --cells 150); over all 5,425 cells it is 0.61 to 0.64, with "
            "validation accuracies from 0.10 to 0.94 (nasbench table stats)."
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
            "Ours: the protocol of the second edition of results/digits201.h5. As digits201, but with portable kernels, so that every x86-64 "
            "machine gives the same bits; half of the training images validate (600), 4 epochs of one cycle with a warm-up of a quarter. "
            "Chosen among 12 protocols by 70 cells with 3 seeds each, 30 of them from the best tenth of the first edition: there the "
            "deviation of one training is 0.022 and that between cells 0.015 (digits201: 0.043 and 0.018), so that the mean of three seeds "
            "tells the best cells apart. Kendall's tau between two seeds over all 70 is 0.69."
        ),
        "validation": 0.5,
        "epochs": 4,
        "schedule": "one_cycle",
        "warmup": 0.25,
        "kernels": "portable",
    }
)

CIFAR10_QUICK = Protocol(
    name="cifar10-quick",
    source=(
        "Ours: a reduced protocol to try searches of CIFAR networks on a CPU, about half a minute a child on one core: 1,000 training "
        "and 500 validation images, 4 epochs of one cycle, N = 1, F = 8. Its scores rank networks only coarsely; for results use "
        "nasnet2017, nas2016 or nasbench201."
    ),
    data="cifar10",
    validation=0.01,
    train_images=1000,
    epochs=4,
    batch_size=25,
    optimizer="nesterov",
    learning_rate=0.1,
    weight_decay=5e-4,
    schedule="one_cycle",
    warmup=0.25,
    enlarge="pad",
    crop_from=40,
    flip=True,
    cells=1,
    filters=8,
)
