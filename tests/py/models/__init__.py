"""Models that the tests build, load or find; none of them needs PyTorch or the network.

graph.py          what the builders share: a graph under construction with seeded weights
transformers.py   BERT-, ViT- and GPT-2-like models
convolutional.py  ResNet- and MobileNet-like models
light.py          the nine architectures in the onnx package, with seeded random weights
stored.py         models on this machine: exported ones, and those that PyPI packages carry
reference.py      what ONNX Runtime answers, and how far two answers are apart
"""
