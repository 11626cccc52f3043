"""P6: who wrote held the epoch that was in force, so that each epoch has one writer and each writer one epoch."""

from collections import defaultdict

from records import Violation


def one_writer_an_epoch(leg):
    """Nothing is written by a connection of an earlier leadership."""
    writers, epochs = defaultdict(set), defaultdict(set)
    for writer, epoch in leg.writers:
        writers[epoch].add(writer)
        epochs[writer].add(epoch)
    for epoch, of in writers.items():
        if len(of) > 1:
            yield Violation("P6", f"epoch {epoch} has {len(of)} writers: {sorted(of)}")
    for writer, of in epochs.items():
        if len(of) > 1:
            yield Violation("P6", f"the connection {writer} wrote under {len(of)} epochs: {sorted(of)}")
