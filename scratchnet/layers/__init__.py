"""The layers: one short file per family."""

from .activations import GELU, Activation, LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from .augmentation import RandomFlip, RandomTranslation
from .base import Layer
from .conv2d import Conv2D
from .dense import Dense
from .dropout import Dropout
from .noise import GaussianNoise
from .normalization import BatchNormalization, LayerNormalization
from .padding import ZeroPadding2D
from .pooling import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from .reshaping import Flatten, Input, Rescaling, Reshape
from .residual import Residual
from .serialization import register
from .stack import Stack

# Keras's second names
InputLayer, Convolution2D = Input, Conv2D
MaxPool2D, AvgPool2D = MaxPooling2D, AveragePooling2D
GlobalMaxPool2D, GlobalAvgPool2D = GlobalMaxPooling2D, GlobalAveragePooling2D
