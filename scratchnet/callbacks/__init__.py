"""Callbacks, with Keras's names, arguments, defaults and semantics; each can be resumed from a checkpoint."""

from .base import Callback, LambdaCallback, Logs
from .calling import CallbackList, Hooks, progress_callbacks, report_evaluation, verbosity
from .csv_logger import CSVLogger
from .early_stopping import EarlyStopping
from .history import History
from .learning_rate import LearningRateScheduler, ReduceLROnPlateau
from .model_checkpoint import ModelCheckpoint
from .tensorboard import TensorBoard
from .terminate_on_nan import TerminateOnNaN
from .training_checkpoint import TrainingCheckpoint
