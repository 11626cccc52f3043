//! What each event carries beside the fields that all have: the contract that a body is held to.
//!
//! The engine's effects are what is encoded; this table is what the schema says of them, and a test encodes one of each
//! and compares both ways.

use schemars::{Schema, json_schema};
use serde_json::{Value, json};

/// What a field of an event is.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Text,
    /// Text that a person wrote; it is forgotten before the event is.
    Words,
    Instant,
    Number,
    Flag,
    List,
    Object,
}

use Shape::{Flag, Instant, List, Number, Object, Text, Words};

/// Whether null stands for "none" in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Null {
    Never,
    Allowed,
    /// The field is left out instead.
    Absent,
}

use Null::{Absent, Allowed, Never};

/// A field of an event.
type Field = (&'static str, Shape, Null, &'static str);

const COMPARISON: &str = "The numbers: due time, finish when kept, best team, its start and finish, and the rule.";

/// The events that are published, in the order of the contract, with their own fields.
const EVENTS: &[(&str, &str, &[Field])] = &[
    (
        "task.admitted",
        "A work request became a task.",
        &[
            ("id", Text, Never, "The firm's id of the request."),
            ("matter", Text, Never, "The firm's case."),
            ("work_type", Text, Never, "Kind of work."),
            ("priority", Text, Never, "Priority."),
            ("effort_minutes", Number, Never, "Effort in minutes."),
            ("deadline", Instant, Allowed, "Instant by which it must be done."),
            ("ready", Flag, Never, "Whether nothing has to come first."),
            ("process", Text, Absent, "The process that it is a step of."),
            ("derived_deadline", Instant, Absent, "When it must be done for that to be in time."),
        ],
    ),
    ("task.ready", "Nothing has to come first any more.", &[]),
    (
        "task.waiting",
        "No team owns the task now.",
        &[
            ("reason", Text, Never, "Why."),
            ("since", Instant, Never, "Since when."),
            ("wakes_at", Instant, Allowed, "When it is looked at again by the calendar alone."),
            ("woken_by", List, Never, "What could wake it sooner."),
        ],
    ),
    (
        "task.unroutable",
        "No team may do it as things stand.",
        &[("rejected", Object, Never, "How many teams each filter rejects.")],
    ),
    (
        "task.stalled",
        "Its holder has said nothing for long; told once in an ownership.",
        &[
            ("assignment", Number, Never, "The number of its ownership."),
            ("silent_minutes", Number, Never, "For how many minutes of the open time of its team."),
            ("remaining_minutes", Number, Never, "What it last said is left."),
        ],
    ),
    (
        "task.recalled",
        "Taken away from the team that has it: one that may not have it any more, or by an operator's order.",
        &[
            ("assignment", Number, Never, "The number of its ownership, or of the offer."),
            ("because", Object, Absent, "What the holder fails."),
        ],
    ),
    (
        "task.directed",
        "An operator has it offered to the team.",
        &[("set_aside", List, Never, "What was not to be in the way.")],
    ),
    (
        "escalation.raised",
        "On-call staff are told.",
        &[
            (
                "reason",
                Text,
                Never,
                "What happened: conflict_declared, unknown_predecessor, step_late (a step is later than its process allows), \
                 or sla_step, which has the fields of a clock.",
            ),
            ("unknown", List, Absent, "The tasks that it waits for and nobody has sent, 16 of them at most."),
            ("clock", Text, Absent, "The clock."),
            ("policy", Text, Absent, "Its policy."),
            ("percent", Number, Absent, "The percentage of the target that is used up."),
            ("reached_at", Instant, Absent, "When that was reached."),
            ("action", Text, Absent, "What is done: raise_priority, reroute or notify."),
            ("priority", Text, Absent, "The priority to which it is raised."),
            ("contact", Text, Absent, "Who is to be told."),
            ("late_by_ms", Number, Absent, "How many milliseconds later it is told, when that is a second or more."),
        ],
    ),
    ("sla.warned", "So much of a clock is used up; each percentage is told once.", CLOCK_REACHED),
    ("sla.breached", "The target of a clock is used up, which is told once.", CLOCK_REACHED),
    (
        "sla.moved",
        "A clock is due at another time.",
        &[
            ("clock", Text, Never, "The clock."),
            ("from", Instant, Allowed, "When it was due; null when it stood or was not due within the horizon."),
            ("to", Instant, Allowed, "When it is due now."),
            (
                "because",
                Text,
                Never,
                "Why: holder_changed, paused, resumed, pause_capped, hours_changed, teams_changed or amended.",
            ),
        ],
    ),
    (
        "sla.stopped",
        "A clock stopped.",
        &[
            ("clock", Text, Never, "The clock."),
            ("policy", Text, Allowed, "Its policy; null of the deadline."),
            ("outcome", Text, Never, "How: met, breached, or cancelled, which is neither."),
            ("stopped_at", Instant, Never, "When."),
            ("counted_ms", Number, Never, "What it counted, in milliseconds of its basis."),
            ("target_ms", Number, Never, "Its limit, in milliseconds of its basis."),
        ],
    ),
    (
        "wall.raised",
        "A team must not receive or see the matter, or anything of the client, from now on.",
        &[
            ("matter", Text, Allowed, "The firm's case; null is all of the client's."),
            ("source", Text, Never, "Where the wall comes from: roster or conflict."),
        ],
    ),
    (
        "wall.exposure",
        "What had left for a team when a wall was raised.",
        &[
            ("matter", Text, Allowed, "The firm's case; null is all of the client's."),
            ("wall", Number, Never, "Number in the stream of the event that raised the wall."),
            ("count", Number, Never, "How many messages."),
            ("messages", List, Never, "The first hundred: id of the message and its task."),
        ],
    ),
    (
        "task.infeasible",
        "Nobody, and no chain of teams, is expected to do it in time. It is routed all the same.",
        &[
            ("due_at", Instant, Allowed, "When it must be done, by the hours of the team that would be done first."),
            ("best_finish_at", Instant, Allowed, "When that team, or the chain that begins with it, would be done."),
            ("best_team", Text, Never, "That team."),
        ],
    ),
    (
        "task.offered",
        "It is proposed to a team.",
        &[
            ("assignment", Number, Never, "The offer's number."),
            ("until", Instant, Never, "When it lapses."),
            ("id", Text, Never, "The firm's id of the request."),
            ("matter", Text, Never, "The firm's case."),
            ("work_type", Text, Never, "Kind of work."),
            ("jurisdiction", Text, Allowed, "Jurisdiction whose law applies."),
            ("specialty", Text, Allowed, "Specialty."),
            ("languages", List, Never, "Languages."),
            ("skills", List, Never, "Skills with levels."),
            ("place", Text, Allowed, "Where somebody has to be."),
            ("priority", Text, Never, "Priority."),
            ("remaining_minutes", Number, Never, "Remaining effort in minutes."),
            ("due_at", Instant, Allowed, "When it must be done."),
            ("derived", Flag, Absent, "True when that is derived from the deadline of its process."),
            ("clocks", List, Never, "Its running clocks so far: counted_ms of target_ms, stop, due_at, breached."),
        ],
    ),
    (
        "task.withdrawn",
        "The offer is taken back.",
        &[("assignment", Number, Never, "The offer's number."), ("reason", Text, Never, "Why.")],
    ),
    (
        "task.accepted",
        "The team owns it.",
        &[
            ("assignment", Number, Never, "The offer's number."),
            ("implicit", Flag, Never, "Whether the team's policy accepts for it."),
        ],
    ),
    (
        "task.declined",
        "The team refused.",
        &[
            ("assignment", Number, Never, "The offer's number."),
            ("reason", Text, Never, "Why."),
            ("note", Words, Allowed, "Free text."),
        ],
    ),
    (
        "task.lapsed",
        "The team did not answer in time.",
        &[("assignment", Number, Never, "The offer's number."), ("due_at", Instant, Never, "When the offer ended.")],
    ),
    (
        "task.released",
        "The team gave it back.",
        &[("assignment", Number, Never, "The number of its ownership."), ("reason", Words, Never, "Why.")],
    ),
    (
        "task.progressed",
        "The holder said how much is left.",
        &[
            ("assignment", Number, Never, "The number of its ownership."),
            ("remaining_minutes", Number, Never, "Remaining effort in minutes."),
            ("note", Words, Allowed, "Free text."),
        ],
    ),
    ("task.paused", "It stands still.", &[("reason", Text, Never, "A pause reason of the roster.")]),
    ("task.resumed", "It goes on.", &[]),
    ("task.held", "The firm holds it back or lets it go on.", &[("held", Flag, Never, "Whether it is held now.")]),
    (
        "task.amended",
        "The firm changed the request.",
        &[
            ("deadline", Instant, Absent, "New deadline."),
            ("effort_minutes", Number, Absent, "New effort in minutes."),
            ("consent", Object, Absent, "New consent."),
            ("allowed_countries", List, Absent, "New allowed countries."),
            ("denied_countries", List, Absent, "New denied countries."),
            ("excluded_teams", List, Absent, "New excluded teams."),
            ("not_before", Instant, Absent, "New earliest start."),
        ],
    ),
    (
        "task.reprioritised",
        "Its priority changed.",
        &[
            ("priority", Text, Never, "The priority now."),
            (
                "because",
                Text,
                Absent,
                "`urgent_quota`: the client has had its urgent tasks of the day; `escalation`: a step of a clock.",
            ),
        ],
    ),
    (
        "task.completed",
        "It is done.",
        &[
            ("assignment", Number, Never, "The number of the ownership that ended."),
            ("note", Words, Allowed, "Free text."),
        ],
    ),
    ("task.cancelled", "It is called off.", &[("reason", Words, Never, "Why.")]),
    (
        "handoff.planned",
        "The task is to be passed to the team.",
        &[
            ("assignment", Number, Never, "The number of the ownership that is to end."),
            ("offer_at", Instant, Never, "When it is offered there."),
            ("comparison", Object, Never, COMPARISON),
        ],
    ),
    ("handoff.dropped", "The task is not to be passed to the team any more.", &[("reason", Text, Never, "Why.")]),
    (
        "handoff.requested",
        "The holder is asked for notes, what is done, the next step and the remaining effort.",
        &[
            ("assignment", Number, Never, "The number of the ownership that is to end."),
            ("answer_by", Instant, Never, "When the task is offered on."),
        ],
    ),
    (
        "handoff.answered",
        "The holder has handed it on; it goes as soon as the next team is there.",
        &[
            ("assignment", Number, Never, "The number of its ownership."),
            ("remaining_minutes", Number, Never, "Remaining effort in minutes."),
        ],
    ),
    (
        "handoff.told",
        "An earlier holder has said more since the team was asked that has it now or is to have it next, which is told.",
        &[
            ("assignment", Number, Never, "The number of the offer, or of the ownership."),
            ("remaining_minutes", Number, Never, "Remaining effort in minutes."),
        ],
    ),
    (
        "handoff.completed_late",
        "An earlier holder has completed it, too late for that to count; it stands in the packet.",
        &[("assignment", Number, Never, "The number of its ownership.")],
    ),
    (
        "handoff.passed",
        "The next team owns it, the old one does not any more.",
        &[
            ("assignment", Number, Never, "The number of the ownership that ended."),
            ("to", Text, Never, "Who owns it now."),
            ("next_assignment", Number, Never, "Under which number."),
        ],
    ),
    (
        "handoff.declined",
        "The team that was to have it next does not take it.",
        &[
            ("assignment", Number, Never, "The offer's number."),
            ("how", Text, Never, "declined, lapsed, shift_ended or unreachable."),
            ("reason", Text, Absent, "Why, when it declined."),
            ("note", Words, Absent, "Free text, when it declined."),
        ],
    ),
    (
        "handoff.limit_reached",
        "It was handed off as often as it may be.",
        &[("handoffs", Number, Never, "How many times.")],
    ),
    (
        "handoff.overtaken",
        "The holder before this one had completed it; this one's part ends.",
        &[("assignment", Number, Never, "The number of the ownership that ended.")],
    ),
    (
        "handoff.kept",
        "The holder keeps it although its shift ends.",
        &[
            ("assignment", Number, Never, "The number of its ownership."),
            ("reason", Text, Never, "Why: never, not_better, no_taker, limit_reached, held, asked or next_shift."),
            ("note", Words, Absent, "What the holder said."),
            ("comparison", Object, Absent, COMPARISON),
        ],
    ),
    (
        "matter.purged",
        "The closed tasks of a matter are emptied of payload and notes before their time.",
        &[
            ("matter", Text, Never, "The firm's case."),
            ("author", Text, Never, "Who asked for it."),
            ("reason", Text, Never, "Why."),
            ("count", Number, Never, "How many tasks are emptied."),
            ("tasks", List, Never, "The first hundred of them."),
            ("open_count", Number, Never, "How many are open and left as they are."),
            ("left_open", List, Never, "The first hundred of them."),
        ],
    ),
    (
        "audit.anchor",
        "The head of the chain of facts: keep it where the store's writer cannot reach.",
        &[
            ("fact", Number, Never, "The number of the last fact before this one."),
            ("link", Text, Never, "Its link, in hexadecimal."),
        ],
    ),
    (
        "task.rederived",
        "The deadline that is derived for a step of a process moved; it is no promise of its own.",
        &[
            ("from", Instant, Allowed, "When the step had to be done; null when its process had no deadline."),
            ("to", Instant, Allowed, "When it must be done now."),
            (
                "because",
                Text,
                Never,
                "Why: deadline_amended, step_amended, step_ended, step_returned or teams_changed.",
            ),
        ],
    ),
    (
        "process.admitted",
        "A work request became a process, whose steps are tasks; its id stands in `task`.",
        &[
            ("id", Text, Never, "The firm's id of the request."),
            ("matter", Text, Never, "The firm's case."),
            ("process", Text, Allowed, "The template of the roster; null when the request carried its steps."),
            ("priority", Text, Never, "Priority."),
            ("deadline", Instant, Allowed, "Instant by which all of it must be done."),
            ("steps", List, Never, "Its steps: step, task, work_type, effort_minutes, after."),
        ],
    ),
    (
        "process.amended",
        "The firm or an operator changed the process.",
        &[("deadline", Instant, Absent, "New deadline."), ("priority", Text, Absent, "New priority.")],
    ),
    (
        "process.completed",
        "All of its steps have ended.",
        &[
            ("completed", Number, Never, "How many were completed."),
            ("cancelled", Number, Never, "How many were cancelled."),
        ],
    ),
    ("process.cancelled", "The process is called off, or every step of it was.", &[("reason", Words, Never, "Why.")]),
    ("request.rejected", "A request was refused.", REFUSED),
    ("request.conflict", "A request came again with other content.", &[("id", Text, Never, "Its id."), REFUSED[1]]),
    ("update.rejected", "An update was refused.", REFUSED),
    (
        "outage.ended",
        "Nothing was read for a time, such as between a stop and a start; what had been sent in it has been read now.",
        &[
            ("since", Instant, Never, "The last instant before it."),
            ("updates", Number, Never, "How many updates were read that had been sent in it."),
        ],
    ),
    (
        "override.changed",
        "An override of a team was set or has ended.",
        &[
            ("change", Text, Never, "What happened: set, removed or expired."),
            ("override", Number, Never, "Its number."),
            ("kind", Text, Never, "What is set: close, open, seats or drain."),
            ("seats", Number, Absent, "How many seats, for seats."),
            ("from", Instant, Never, "From when on."),
            ("until", Instant, Never, "When it ends by itself."),
            ("author", Text, Never, "Who set it."),
            ("reason", Text, Never, "Why."),
            ("ended_at", Instant, Absent, "When it ended."),
            ("ended_by", Text, Absent, "Who ended it before its time."),
            ("ended_because", Text, Absent, "Why."),
        ],
    ),
    (
        "roster.changed",
        "Another roster is in force.",
        &[("digest", Text, Never, "Its digest."), ("tzdata", Text, Never, "Version of the zone rules.")],
    ),
];

const CLOCK_REACHED: &[Field] = &[
    ("clock", Text, Never, "The clock."),
    ("policy", Text, Allowed, "Its policy; null of the deadline."),
    ("percent", Number, Never, "The percentage of the target that is used up."),
    ("reached_at", Instant, Never, "When that was reached."),
    ("due_at", Instant, Allowed, "When the target is used up."),
    ("late_by_ms", Number, Absent, "How many milliseconds later it is told, when that is a second or more."),
];

const REFUSED: &[Field] = &[
    ("id", Text, Allowed, "The sender's id, as far as known."),
    ("refusal", Object, Never, "Why: code, field, message."),
];

/// The fields of an event that hold what a person wrote.
pub(super) fn words_of(event_type: &str) -> impl Iterator<Item = &'static str> {
    let own = EVENTS.iter().find(|(known, ..)| *known == event_type).map_or(&[][..], |(_, _, own)| own);
    own.iter().filter(|(_, shape, ..)| matches!(shape, Words)).map(|(name, ..)| *name)
}

/// The schema of an event: one of the types.
pub(super) fn schema() -> Schema {
    let kinds: Vec<Value> = EVENTS.iter().map(|(event_type, about, own)| one(event_type, about, own)).collect();
    json_schema!({ "title": "Event", "description": "A fact, as it is published.", "oneOf": kinds })
}

fn one(event_type: &str, about: &str, own: &[Field]) -> Value {
    let mut properties = serde_json::Map::new();
    let mut add = |name: &str, schema: Value| properties.insert(name.into(), schema);
    add("type", json!({ "const": event_type }));
    add("at", of(Instant, Never, "When it was decided."));
    let claimed = "When it happened by what the update says that caused it, of one that was sent in an outage.";
    add("claimed_at", of(Instant, Never, claimed));
    add("task", of(Text, Never, "The task, or the process."));
    add("task_seq", of(Number, Never, "The number of this fact in its task or process; dense."));
    add("stream_seq", of(Number, Never, "The number of this fact, when it is about no task."));
    add("client", of(Text, Never, "The client it concerns."));
    add("team", of(Text, Never, "The team it concerns."));
    add("update", of(Text, Never, "The update that caused it."));
    add("order", of(Object, Never, "Who ordered it, `by`, and why, `reason`, when an operator did."));
    for (name, shape, null, doc) in own {
        add(name, of(*shape, *null, doc));
    }
    let own_required = own.iter().filter(|field| field.2 != Absent).map(|field| field.0);
    let required: Vec<&str> = ["type", "at"].into_iter().chain(own_required).collect();
    json!({
        "type": "object",
        "description": about,
        "properties": properties,
        "required": required,
        "oneOf": [{ "required": ["task", "task_seq"] }, { "required": ["stream_seq"] }],
        "additionalProperties": false,
    })
}

fn of(shape: Shape, null: Null, doc: &str) -> Value {
    let word = match shape {
        Text | Words | Instant => "string",
        Number => "integer",
        Flag => "boolean",
        List => "array",
        Object => "object",
    };
    let mut schema = match null {
        Allowed => json!({ "type": [word, "null"] }),
        Never | Absent => json!({ "type": word }),
    };
    if matches!(shape, Instant) {
        schema["format"] = "date-time".into();
    }
    schema["description"] = doc.into();
    schema
}
