"""P8, P9, P12: the daemon ends when it must and not otherwise, its memory is bounded, and it tells no secret."""

from records import Violation


def never_ended_by_itself(leg):
    """Whoever wanted it to end has said so."""
    for last_words in leg.ended_itself:
        yield Violation("P8", f"the daemon ended by itself: {last_words}")


def memory_is_bounded(leg):
    """The most that it held."""
    most = max(leg.resident_bytes, default=0)
    if most > leg.most_resident_bytes:
        yield Violation("P9", f"{most >> 20} MiB were resident, {leg.most_resident_bytes >> 20} MiB are the bound")


def nothing_secret_is_told(leg):
    """No canary in what is for everybody."""
    for where, text in leg.leaks.items():
        for canary in leg.canaries:
            if canary in text:
                yield Violation("P12", f"{where} tells a canary")
