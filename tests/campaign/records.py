"""What a leg of the campaign leaves behind for the checker: what was sent, received, committed and done to the daemon.

Instants named `_at` are seconds of the monotonic clock of the campaign, those named `_ms` are engine time in milliseconds
since 1970.
"""

from dataclasses import dataclass, field


@dataclass
class Sent:
    """A message that somebody published; `confirmed` once the broker has said that it has it."""

    kind: str  # request or update
    key: str  # task id of a request, id of an update
    body: bytes
    expects: str = "admitted"  # of a request: admitted, rejected or conflict
    confirmed: bool = False


@dataclass(frozen=True)
class Received:
    """One copy of a message, as it was taken from a queue."""

    queue: str
    message_id: str
    raw: bytes
    at: float


@dataclass(frozen=True)
class Fact:
    """A row of `facts`; `body` as it was stored, `said` as JSON."""

    seq: int
    at_ms: int
    type: str
    task: str | None
    task_seq: int | None
    client: str | None
    matter: str | None
    team: str | None
    addressed: str | None
    with_payload: bool
    suppressed: bool
    body: bytes
    said: dict
    decided_by: str | None = None  # the digest of the roster that a decision names


@dataclass
class Committed:
    """What the store holds at the end."""

    incarnation: str = "life"
    watermark: int = 0
    last_seq: int = 0
    last_at_ms: int = 0
    facts: list = field(default_factory=list)
    tasks: dict = field(default_factory=dict)  # id -> (state, owner, next_due_ms)
    updates: dict = field(default_factory=dict)  # id -> whether it was refused
    undelivered: set = field(default_factory=set)
    walls: list = field(default_factory=list)  # (team, client, matter or None) of the roster in force at the start


@dataclass
class Leg:
    """Everything that the checker judges."""

    committed: Committed = field(default_factory=Committed)
    sent: list = field(default_factory=list)
    received: list = field(default_factory=list)
    faults: list = field(default_factory=list)  # (what, at)
    lost_queues: set = field(default_factory=set)  # teams whose queue was deleted with what was in it
    ended_itself: list = field(default_factory=list)  # what it said last, for each time
    leaks: dict = field(default_factory=dict)  # where -> text in which no canary may stand
    rosters: set = field(default_factory=set)  # digests that were meant to come into force; any may when it is empty
    canaries: list = field(default_factory=list)
    resident_bytes: list = field(default_factory=list)
    most_resident_bytes: int = 1 << 40
    speed: int = 1


@dataclass(frozen=True, order=True)
class Violation:
    """A promise that was broken, and by what."""

    promise: str
    what: str
