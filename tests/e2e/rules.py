"""Who may do what, worked out a second time from the roster's file and the written rules, by nothing of the daemon's."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def first_no(roster, request, team, at):
    """The first of the standing rules that keeps a team from a request: its name, None when the team is eligible."""
    client = next(it for it in roster["clients"] if it["id"] == request["client"])
    kind = roster["work_types"][request["work_type"]]
    country, home = team["country"], client["country"]
    for wall in roster["walls"]:
        if (wall["team"], wall["client"]) == (team["id"], client["id"]) and wall.get("matter", request["matter"]) == request["matter"]:
            return "wall"
    if country[:2] != home[:2]:
        consent = request.get("consent") or {}
        if client["offshoring"] == "consent" and not (consent.get("offshore") and consent.get("reference")):
            return "consent"
    allowed, denied = request.get("allowed_countries"), request.get("denied_countries", []) + client.get("denied_countries", [])
    if country[:2] in denied or allowed and country[:2] not in allowed:
        return "consent"
    if client.get("residency") and team["region"] not in client["residency"]:
        return "consent"
    if kind["presence"] == "in_person" and country[:2] != request["place"]:
        return "presence"
    if vetting_ends(roster, team) <= at:
        return "vetting"
    languages = request.get("languages", kind.get("languages", []))
    specialty, jurisdiction = kind["specialty"], request.get("jurisdiction")
    pairs = [
        it
        for it in team["capabilities"]
        if it["specialty"] in ("*", specialty) and (jurisdiction is None or it["jurisdiction"] in ("*", jurisdiction))
    ]
    if not any(set(languages) <= set(it["languages"]) for it in pairs):
        return "capability"
    if any(team["skills"].get(skill, 0) < level for skill, level in kind.get("skills", {}).items()):
        return "capability"
    return "capability" if team["id"] in request.get("excluded_teams", []) else None


def is_in_contact(roster, request, team, at):
    """Whether what is left of the team's shift overlaps the client's hours for the effort, when contact is asked."""
    kind = roster["work_types"][request["work_type"]]
    if kind["presence"] != "contact":
        return True
    client = next(it for it in roster["clients"] if it["id"] == request["client"])
    ours, theirs = shift_at(roster, team["calendar"], at), shift_at(roster, client["calendar"], at)
    until = min(ours[1], theirs[1]) if ours and theirs else at
    return until - at >= timedelta(minutes=request["effort_minutes"])


def vetting_ends(roster, team):
    """The end of the last day of a team's vetting, where the team is."""
    zone = ZoneInfo(roster["calendars"][team["calendar"]]["time_zone"])
    return datetime.fromisoformat(team["vetted_until"]).replace(tzinfo=zone) + timedelta(days=1)


def shift_at(roster, calendar, at):
    """The shift that is open at an instant, as (open, close); None when the calendar is closed."""
    calendar = roster["calendars"][calendar]
    zone = ZoneInfo(calendar["time_zone"])
    today = at.astimezone(zone).date()
    for date in (today - timedelta(days=1), today):
        for hours in calendar["hours"].get(DAYS[date.weekday()], []):
            opens, closes = (datetime.fromisoformat(f"{date}T{time}").replace(tzinfo=zone) for time in hours.split("-"))
            closes += timedelta(days=closes <= opens)
            if opens <= at < closes:
                return opens, closes
    return None
