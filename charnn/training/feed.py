"""Windows of tokens as tensors on the device that trains."""

import numpy as np
import torch
from torch import Tensor

from charnn.corpus.batches import Batches
from charnn.training.device import Device
from charnn.training.faults import is_out_of_memory

RESIDENT_BYTES = 2 << 30
"""A training part up to this size is kept on the GPU as a whole."""


class Feed:
    """Hands out the window of a step as (inputs, targets, starts_epoch), each (seq_len, batch).

    On a GPU the whole part lies in its memory, so that a step copies nothing and waits for
    nothing; on a CPU, and for a part too large for that or for what is free, each window is read
    from the stream.
    """

    def __init__(self, batches: Batches, device: Device) -> None:
        self._batches = batches
        self._device = device.torch_device
        self._rows: Tensor | None = None
        if device.kind == "cuda" and 4 * len(batches.tokens) <= RESIDENT_BYTES:
            self._rows = self._upload_if_it_fits()

    def window(self, step: int) -> tuple[Tensor, Tensor, bool]:
        """The window of step number `step`: int64 or int32 tensors on the device."""
        if self._rows is None:
            inputs, targets, starts_epoch = self._batches.window(step)
            return self._move(inputs), self._move(targets), starts_epoch
        index = step % self._batches.windows_per_epoch
        start = index * self._batches.seq_len
        stop = min(start + self._batches.seq_len, self._batches.row_length)
        return self._rows[start:stop], self._rows[start + 1 : stop + 1].long(), index == 0

    def _upload_if_it_fits(self) -> Tensor | None:
        try:
            return self._upload()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        return None

    def _upload(self) -> Tensor:
        """All rows, time first, each with the token before it: (row_length + 1, batch)."""
        batches = self._batches
        used = batches.row_length * batches.batch_size
        rows = np.asarray(batches.tokens[:used]).reshape(batches.batch_size, -1)
        columns = np.empty((batches.row_length + 1, batches.batch_size), dtype=np.int32)
        columns[1:] = rows.T
        columns[0] = batches.window(0).inputs[0]
        return self._move(columns)

    def _move(self, array: np.ndarray[tuple[int, ...], np.dtype[np.integer]]) -> Tensor:
        return torch.from_numpy(array).to(self._device)
