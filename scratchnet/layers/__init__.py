"""The layers: one short file per family."""

from .activation import Activation
from .activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from .augmentation import RandomFlip, RandomTranslation
from .base import Layer
from .conv2d import Conv2D
from .conv2d_transpose import Conv2DTranspose
from .dense import Dense
from .dropout import Dropout
from .noise import GaussianNoise
from .normalization import BatchNormalization, LayerNormalization, Normalization
from .padding import Cropping2D, ZeroPadding2D
from .pooling import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from .reshaping import Flatten, Input, Rescaling, Reshape
from .residual import Residual
from .separable import DepthwiseConv2D, SeparableConv2D
from .serialization import register
from .stack import Stack
from .upsampling import UpSampling2D

# Keras's second names
InputLayer = Input
Convolution2D, Convolution2DTranspose, SeparableConvolution2D = Conv2D, Conv2DTranspose, SeparableConv2D
MaxPool2D, AvgPool2D = MaxPooling2D, AveragePooling2D
GlobalMaxPool2D, GlobalAvgPool2D = GlobalMaxPooling2D, GlobalAveragePooling2D
