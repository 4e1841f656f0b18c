"""LogMel, forward and backward, with the Fourier transform as a matrix."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from scanwise.layers import LogMel
from scanwise.layers.logmel import LOG_OFFSET
from scanwise.reference.layer import Array, Gradients, Parameters, backward, forward


# For the n_fft samples from t hop on, with the fixed filters c_f, s_f (windowed cosine and sine):
#
#   re_f = sum_n c_f(n) x(t hop + n),    im_f = sum_n s_f(n) x(t hop + n)        a convolution with stride hop
#   e_m  = sum_f M_mf (re_f^2 + im_f^2)                                          a 1x1 convolution
#   y_m  = log(e_m + 1e-6)
@forward.register(LogMel)
def log_mel(layer: LogMel, x: Array, parameters: Parameters) -> Array:
    _, frames = layer.output_shape(x.shape[1:])
    y = np.zeros((len(x), layer.n_mels, frames))
    for t in range(frames):
        _, energy = frame_energy(layer, x, t)
        y[:, :, t] = np.log(energy + LOG_OFFSET)
    return y


# Backwards through the same steps; frames overlap, so their gradients add up in dx (lecture 6.3):
#
#   dL/de_m = dL/dy_m / (e_m + 1e-6),    dL/dre_f = 2 re_f sum_m M_mf dL/de_m, and im_f likewise
#   dL/dx(t hop + n) += sum_f c_f(n) dL/dre_f + s_f(n) dL/dim_f
@backward.register(LogMel)
def dlog_mel(layer: LogMel, x: Array, dy: Array, parameters: Parameters) -> tuple[Array, Gradients]:
    dft, mel = fourier_rows(layer), layer.filters()
    dx = np.zeros_like(x)
    for t in range(dy.shape[2]):
        spectrum, energy = frame_energy(layer, x, t)
        dpower = (dy[:, :, t] / (energy + LOG_OFFSET)) @ mel
        dspectrum = 2 * spectrum * np.concatenate([dpower, dpower], axis=1)
        dx[:, 0, t * layer.hop : t * layer.hop + layer.n_fft] += dspectrum @ dft
    return dx, {}


def frame_energy(layer: LogMel, x: Array, t: int) -> tuple[Array, Array]:
    """(re and im one after the other `(N, 2 F)`, mel energies `(N, n_mels)`) of frame t."""
    dft, mel = fourier_rows(layer), layer.filters()
    frame = x[:, 0, t * layer.hop : t * layer.hop + layer.n_fft]
    spectrum = frame @ dft.T
    re, im = np.split(spectrum, 2, axis=1)
    return spectrum, (re**2 + im**2) @ mel.T


def fourier_rows(layer: LogMel) -> Array:
    """Window and transform as a matrix `(2 F, n_fft)`, read-only: row f is w(n) cos(2 pi f n / n_fft), row F + f is
    -w(n) sin(the same).
    """
    return _fourier_rows(layer)


@lru_cache(maxsize=16)
def _fourier_rows(layer: LogMel) -> Array:
    n, window = np.arange(layer.n_fft), layer.window()
    # The product is reduced modulo n_fft in integers first: large angles would lose digits.
    angle = 2 * np.pi * (np.outer(np.arange(layer.n_fft // 2 + 1), n) % layer.n_fft) / layer.n_fft
    rows: Array = np.concatenate([window * np.cos(angle), -window * np.sin(angle)])
    rows.setflags(write=False)
    return rows
