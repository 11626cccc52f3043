//! What people do in a story, one line each, as events of the engine.

use heliograph::engine::event::{Event, OverrideWish};
use heliograph::engine::id::{ClientId, RequestId, TeamId, Term};
use heliograph::engine::overrides::{NewOverride, OverrideKind};
use heliograph::engine::task::Task;
use heliograph::engine::update::{Change, DeclineReason, Order, Sender, SetAside, Update};

use super::requests::{Reading, minutes, parsed, priority, task_id};
use super::stage::Stage;

/// What a line does.
pub enum Act {
    Event(Event),
    /// The same message once more.
    Again,
    /// The daemon stops, with all that it decided on disk.
    Stop,
    Start,
    /// Another roster is put in force.
    Roster,
}

/// Reads the line of an act.
pub fn read(line: &str, stage: &Stage, reading: Reading<'_>) -> Result<Act, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if let Some((head, text)) = line.split_once(": ")
        && let [client, "sends", id] = head.split(' ').collect::<Vec<_>>()[..]
    {
        let request = Box::new(reading.request(client, id, text)?);
        return Ok(Act::Event(Event::RequestReceived { request, ended: None, predecessors: Vec::new() }));
    }
    match words[..] {
        ["the", "same", "again"] => Ok(Act::Again),
        ["the", "daemon", "stops"] => Ok(Act::Stop),
        ["the", "daemon", "starts"] => Ok(Act::Start),
        ["the", "roster", "changes"] => Ok(Act::Roster),
        ["the", "message", "of", id, "is", "not", "delivered"] => {
            let task = stage.task(id)?;
            let offer = task.handoff_offer().map(|offer| offer.assignment);
            let assignment = offer.unwrap_or(task.assignments);
            Ok(Act::Event(Event::OfferUndeliverable { task: task.id.clone(), assignment }))
        }
        ["operator", "ends", "override", number] => {
            let id = number.parse().map_err(|_| format!("{number:?} is not a number"))?;
            let (author, reason) = ("ana".to_owned(), "over".to_owned());
            Ok(Act::Event(Event::OverrideWished(OverrideWish::Remove { id, author, reason })))
        }
        ["operator", verb @ ("closes" | "opens" | "drains"), team, ref rest @ ..] => {
            let kind = match verb {
                "closes" => OverrideKind::Close,
                "opens" => OverrideKind::Open,
                _ => OverrideKind::Drain,
            };
            wish(kind, team, rest, reading)
        }
        ["operator", "gives", team, seats, "seats", ref rest @ ..] => {
            let seats = seats.parse().map_err(|_| format!("{seats:?} is not a number"))?;
            wish(OverrideKind::Seats { seats }, team, rest, reading)
        }
        _ => update(line, &words, stage, reading),
    }
}

/// `[from TIME] until TIME`.
fn wish(kind: OverrideKind, team: &str, rest: &[&str], reading: Reading<'_>) -> Result<Act, String> {
    let until = rest.iter().position(|word| *word == "until").ok_or("an override has an end: until TIME")?;
    let from = match rest[..until] {
        [] => None,
        ["from", ref time @ ..] => Some(reading.time(time)?),
        _ => return Err(format!("{rest:?} is not from when and until when")),
    };
    let until = reading.time(&rest[until + 1..])?;
    let (author, reason) = ("ana".to_owned(), "a flood".to_owned());
    let new = NewOverride { team: parsed(team)?, kind, from, until, author, reason };
    Ok(Act::Event(Event::OverrideWished(OverrideWish::Set(Box::new(new)))))
}

fn update(line: &str, words: &[&str], stage: &Stage, reading: Reading<'_>) -> Result<Act, String> {
    let unknown = || format!("{line:?} is not an act");
    let (head, text) = line.split_once(": ").map_or((line, None), |(head, text)| (head, Some(text)));
    let [who, verb, id, ..] = words[..] else { return Err(unknown()) };
    let id = id.trim_end_matches(':');
    let task = stage.known(id)?;
    let sender = stage.sender(who)?;
    let head: Vec<&str> = head.split(' ').collect();
    let (rest, said) = as_number(&head[3.min(head.len())..])?;
    let assignment = || said.map_or_else(|| number_of(stage, id, &sender), Ok);
    let reason = || text.unwrap_or("no reason").to_owned();
    let order = || Order { by: "ana".to_owned(), reason: reason() };
    let change = match (verb, rest) {
        ("accepts", []) => Change::Accept { assignment: assignment()? },
        ("declines", [why]) => {
            let reason = match *why {
                "busy" => DeclineReason::Busy,
                "not_qualified" => DeclineReason::NotQualified,
                "conflict" => DeclineReason::Conflict,
                _ => return Err(unknown()),
            };
            Change::Decline { assignment: assignment()?, reason, note: None }
        }
        ("reports", [left, "left"]) => {
            Change::Progress { assignment: assignment()?, remaining_minutes: minutes(left)?, note: None }
        }
        ("completes", []) => Change::Complete { assignment: assignment()?, note: None },
        ("releases", []) => Change::Release { assignment: assignment()?, reason: reason() },
        ("keeps", []) => Change::Keep { assignment: assignment()?, reason: reason() },
        ("hands-on", left) => {
            let remaining_minutes = match left {
                [left, "left"] => Some(minutes(left)?),
                [] => None,
                _ => return Err(unknown()),
            };
            let (notes, assignment) = (text.map(str::to_owned), assignment()?);
            Change::Handoff { assignment, notes, done: None, next_step: None, remaining_minutes }
        }
        ("pauses", [reason]) => {
            let assignment = matches!(sender, Sender::Team(_)).then(assignment).transpose()?;
            Change::Pause { assignment, reason: parsed::<Term>(reason)? }
        }
        ("resumes", []) => {
            Change::Resume { assignment: matches!(sender, Sender::Team(_)).then(assignment).transpose()? }
        }
        ("cancels", []) => Change::Cancel { reason: reason() },
        ("holds", []) => Change::Hold,
        ("unholds", []) => Change::Unhold,
        ("makes", [word]) => Change::Reprioritise { priority: priority(word)? },
        ("amends", []) => Change::Amend(Box::new(reading.amendment(text.ok_or_else(unknown)?)?)),
        ("recalls", []) => Change::Recall,
        ("directs", ["to", to, despite @ ..]) => Change::OfferTo { to: parsed(to)?, set_aside: set_aside(despite)? },
        _ => return Err(unknown()),
    };
    let id = parsed::<RequestId>(&format!("u-{}", stage.acts()))?;
    let order = matches!(sender, Sender::Operator(_)).then(order);
    let update = Update { id, task, sender, at: None, order, change };
    let digest = heliograph::wire::update::digest(&update);
    Ok(Act::Event(Event::UpdateReceived { update: Box::new(update), digest, ended: None, earlier: None }))
}

/// What stands before a closing `as N`, and the N.
fn as_number<'a, 'b>(words: &'a [&'b str]) -> Result<(&'a [&'b str], Option<u32>), String> {
    match words {
        [rest @ .., "as", number] => {
            Ok((rest, Some(number.parse().map_err(|_| format!("{number:?} is not a number"))?)))
        }
        _ => Ok((words, None)),
    }
}

/// The number under which a team has a task, else the last that it had.
fn number_of(stage: &Stage, id: &str, sender: &Sender) -> Result<u32, String> {
    let Sender::Team(team) = sender else { return Ok(0) };
    let task = stage.task(id)?;
    let next = task.handoff_offer().filter(|offer| offer.team == *team).map(|offer| offer.assignment);
    let now = || task.assignment().filter(|(holder, _)| *holder == team).map(|(_, number)| number);
    let earlier = |task: &Task| task.holders.iter().rev().find(|it| it.team == *team).map(|it| it.assignment);
    Ok(next.or_else(now).or_else(|| earlier(task)).unwrap_or(task.assignments))
}

fn set_aside(words: &[&str]) -> Result<Vec<SetAside>, String> {
    let words = match words {
        [] => &[],
        ["despite", words @ ..] => words,
        _ => return Err(format!("{words:?} is not what to set aside")),
    };
    let all = [SetAside::TurnedDown, SetAside::Drained, SetAside::Open, SetAside::Seats];
    let named = |word: &&str| {
        all.into_iter().find(|it| it.filter().as_str() == *word).ok_or_else(|| format!("{word:?} is never set aside"))
    };
    words.iter().map(named).collect()
}

impl Stage {
    /// Who speaks, by the name in a line.
    fn sender(&self, who: &str) -> Result<Sender, String> {
        if who == "operator" {
            return Ok(Sender::Operator("local".to_owned()));
        }
        let team = TeamId::new(who).map_err(|error| error.to_string())?;
        if self.roster().team_index(&team).is_some() {
            return Ok(Sender::Team(team));
        }
        let client = ClientId::new(who).map_err(|error| error.to_string())?;
        let known = self.roster().clients.contains_key(&client);
        if known { Ok(Sender::Client(client)) } else { Err(format!("{who:?} is no team, client or operator")) }
    }

    /// The id of a task that a story named before, or of the client that speaks.
    fn known(&self, id: &str) -> Result<heliograph::engine::id::TaskId, String> {
        let client = self.client_of(id).ok_or_else(|| format!("nobody sent {id:?}"))?;
        task_id(client, id)
    }
}
