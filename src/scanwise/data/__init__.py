"""Labelled data from folders, arrays, tables and label files, and single signals to scan."""

from scanwise.data.annotation.checking import check_labels as check_labels
from scanwise.data.annotation.collection import AnnotatedFile as AnnotatedFile
from scanwise.data.annotation.collection import Collection as Collection
from scanwise.data.annotation.collection import Event as Event
from scanwise.data.annotation.collection import Finding as Finding
from scanwise.data.annotation.opening import open_labels as open_labels
from scanwise.data.annotation.windows import windows_from as windows_from
from scanwise.data.archive import load_npz as load_npz
from scanwise.data.clips import Clips as Clips
from scanwise.data.dataset import Dataset as Dataset
from scanwise.data.dataset import Skipped as Skipped
from scanwise.data.dataset import split as split
from scanwise.data.folder import load_folder as load_folder
from scanwise.data.listing import signal_files as signal_files
from scanwise.data.opening import open_dataset as open_dataset
from scanwise.data.opening import read_signal as read_signal
from scanwise.data.series import load_csv as load_csv
from scanwise.data.signal_file import SignalFile as SignalFile
from scanwise.data.signal_file import open_signal as open_signal
