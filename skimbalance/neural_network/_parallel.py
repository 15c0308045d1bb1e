"""A step on several processes: a part of each batch here, gradients averaged."""

from skimbalance.neural_network._step import Step


class ParallelStep(Step):
    """A `Step` of one process among several, through Hugging Face accelerate.

    Parameters
    ----------
    accelerator : accelerate.Accelerator
        Knows the processes and the device of this one.
    half, max_grad_norm : object
        As in `Step`.
    """

    def __init__(self, accelerator, half=None, max_grad_norm=None):
        super().__init__(half, max_grad_norm)
        self.accelerator = accelerator
        self.part = accelerator.process_index, accelerator.num_processes

    def __getstate__(self):
        # A saved net goes on alone: processes cannot be stored.
        return vars(self) | {"accelerator": None, "part": (0, 1)}

    def begin(self, net):
        super().begin(net)
        if self.accelerator is not None:
            self.module = self.accelerator.prepare_model(net.module_)

    def end(self):
        super().end()
        if self.accelerator is not None:
            self.accelerator.free_memory()  # or it would keep the net of every fit

    def begin_epoch(self):
        if self.accelerator is not None:
            from accelerate.utils import synchronize_rng_states

            synchronize_rng_states(["torch"])

    def summed(self, total):
        if self.accelerator is None:
            return total
        return self.accelerator.reduce(total, "sum")
