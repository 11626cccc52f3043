"""Who may do what, worked out a second time from the roster's file and the written rules, by nothing of the daemon's."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def noes(roster, request, team, at):
    """The standing rules that keep a team from a request, by name; none when the team is eligible."""
    client = next(it for it in roster["clients"] if it["id"] == request["client"])
    kind = roster["work_types"][request["work_type"]]
    country, home = team["country"], client["country"]
    for wall in roster["walls"]:
        if (wall["team"], wall["client"]) == (team["id"], client["id"]) and wall.get("matter", request["matter"]) == request["matter"]:
            yield "wall"
    if country[:2] != home[:2]:
        consent = request.get("consent") or {}
        if client["offshoring"] == "consent" and not (consent.get("offshore") and consent.get("reference")):
            yield "consent"
    allowed, denied = request.get("allowed_countries"), request.get("denied_countries", []) + client.get("denied_countries", [])
    if country[:2] in denied or allowed and country[:2] not in allowed:
        yield "consent"
    if client.get("residency") and team["region"] not in client["residency"]:
        yield "consent"
    if kind["presence"] == "in_person" and country[:2] != request["place"]:
        yield "presence"
    if kind["presence"] == "contact" and not any(contacts(roster, request, team, at)):
        yield "presence"
    if vetting_ends(roster, team) <= at:
        yield "vetting"
    languages = request.get("languages", kind.get("languages", []))
    specialty, jurisdiction = kind["specialty"], request.get("jurisdiction")
    pairs = [
        it
        for it in team["capabilities"]
        if it["specialty"] in ("*", specialty) and (jurisdiction is None or it["jurisdiction"] in ("*", jurisdiction))
    ]
    if not any(set(languages) <= set(it["languages"]) for it in pairs):
        yield "capability"
    if any(team["skills"].get(skill, 0) < level for skill, level in kind.get("skills", {}).items()):
        yield "capability"
    if team["id"] in request.get("excluded_teams", []):
        yield "capability"


def is_in_contact(roster, request, team, at):
    """Whether what is left of the team's shift overlaps the client's hours for the effort, when contact is asked."""
    return any(start <= at for start in contacts(roster, request, team, at))


def contacts(roster, request, team, at):
    """The beginnings of those shifts of a week that overlap the client's hours for the effort, from an instant on."""
    kind = roster["work_types"][request["work_type"]]
    client = next(it for it in roster["clients"] if it["id"] == request["client"])
    for opens, closes in shifts(roster, team["calendar"], at):
        theirs = shifts(roster, client["calendar"], at) if kind["presence"] == "contact" else [(at, closes)]
        both = (min(closes, their_close) - max(opens, their_open, at) for their_open, their_close in theirs)
        minutes = request["effort_minutes"] if kind["presence"] == "contact" else 0
        if sum((it for it in both if it > timedelta()), timedelta()) >= timedelta(minutes=minutes):
            yield opens


def vetting_ends(roster, team):
    """The end of the last day of a team's vetting, where the team is."""
    zone = ZoneInfo(roster["calendars"][team["calendar"]]["time_zone"])
    return datetime.fromisoformat(team["vetted_until"]).replace(tzinfo=zone) + timedelta(days=1)


def shifts(roster, calendar, at):
    """The shifts of a week that end after an instant, as (open, close)."""
    calendar = roster["calendars"][calendar]
    zone = ZoneInfo(calendar["time_zone"])
    yesterday = at.astimezone(zone).date() - timedelta(days=1)
    found = []
    for date in (yesterday + timedelta(days=n) for n in range(9)):
        for hours in calendar["hours"].get(DAYS[date.weekday()], []):
            opens, closes = (datetime.fromisoformat(f"{date}T{time}").replace(tzinfo=zone) for time in hours.split("-"))
            found.append((opens, closes + timedelta(days=closes <= opens)))
    return [it for it in found if it[1] > at]


def shift_at(roster, calendar, at):
    """The shift that is open at an instant, as (open, close); None when the calendar is closed."""
    return next((it for it in shifts(roster, calendar, at) if it[0] <= at), None)
