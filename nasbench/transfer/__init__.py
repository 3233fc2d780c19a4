"""One cell pair as a family of networks: counted at any size, and trained at CIFAR's and ImageNet's."""
