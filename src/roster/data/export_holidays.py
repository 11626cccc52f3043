"""Writes holidays.tsv, the bundled public holidays, from the PyPI package `holidays` (MIT).

Run in a virtual environment:  pip install holidays==0.109 && python export_holidays.py > holidays.tsv
"""

import collections
import re
import statistics
import sys
import warnings

import holidays

VERSION = "0.109"
FIRST_YEAR, LAST_YEAR = 2020, 2036
COUNTRIES = """
AE AR AT AU BD BE BG BR CA CH CL CN CO CR CY CZ DE DK EE EG ES FI FR GB GR HK HR HU ID IE IL IN IS IT JM JP KE KR LK LT LU LV
MT MU MX MY NG NL NO NP NZ PA PE PH PK PL PT RO RS SA SE SG SI SK TH TR TW UA US UY VN ZA
""".split()

HEADER = f"""\
# Public holidays, observed and actual days, {FIRST_YEAR} to {LAST_YEAR}.
# Exported by export_holidays.py from the PyPI package holidays {VERSION} (MIT licence,
# copyright Vacanza Team and individual contributors, Maurizio Montel (dr-prodigy), ryanss).
#
# A line "@REGION FIRST LAST" opens a region and states the years that the data covers. A subdivision lists only its
# differences from its country: "-" lists dates that it lacks, other lines add to or rename what the country has.
# Any other line is a name, a tab, and dates: MMDD is that date in every covered year, YYMMDD one date; a leading ~ marks
# an estimated date.
"""

# Cities that some countries list beside their ISO 3166-2 subdivisions are left out.
ISO_SUBDIVISION = re.compile(r"[A-Z0-9]{1,3}")
ESTIMATED = re.compile(r" \((?:(observed), )?estimated\)")


def covered_years(country):
    """The years that the data really covers.

    Tables of movable feasts end before the package's own limit (India and Nepal in 2035), and the package knows no days at
    all for some years (Ukraine under martial law). So the last years are left out while they hold far fewer days than usual.
    """
    entity = getattr(holidays, country)
    years = range(max(FIRST_YEAR, entity.start_year), min(LAST_YEAR, entity.end_year) + 1)
    counts = collections.Counter(date.year for date in days_of(country, None, years))
    usual = statistics.median(counts[year] for year in years if counts[year])
    while counts[years[-1]] < 0.6 * usual:
        years = years[:-1]
    return years


def days_of(country, subdivision, years):
    """Dates of a region with their names and whether they are estimated."""
    entity = getattr(holidays, country)
    english = [language for language in ("en_US", "en_GB") if language in entity.supported_languages]
    options = {}
    if "islamic_show_estimated" in entity.get_supported_options():
        options["islamic_show_estimated"] = True
    found = holidays.country_holidays(
        country, subdiv=subdivision, years=years, language=english[0] if english else None, **options
    )
    days = {}
    for date, names in found.items():
        if date.year not in years:
            continue
        parts = names.split("; ")
        # A date is certain as soon as one of its holidays is.
        estimated = all(ESTIMATED.search(part) for part in parts)
        plain = dict.fromkeys(ESTIMATED.sub(lambda m: " (observed)" if m[1] else "", part) for part in parts)
        days[date] = ("; ".join(plain), estimated)
    return days


def lines_of(days, years):
    """Lines of name and dates, fixed dates folded into one."""
    by_name = {}
    for date, (name, estimated) in sorted(days.items()):
        by_name.setdefault(name, []).append((date, estimated))
    for name, dates in sorted(by_name.items()):
        by_day = {}
        for date, estimated in dates:
            by_day.setdefault((date.month, date.day, estimated), []).append(date)
        tokens = []
        for (month, day, estimated), same in sorted(by_day.items()):
            mark = "~" if estimated else ""
            if len(same) == len(years):
                tokens.append(f"{mark}{month:02}{day:02}")
            else:
                tokens.extend(f"{mark}{date:%y%m%d}" for date in same)
        yield f"{name}\t{' '.join(sorted(tokens, key=lambda token: token.lstrip('~')))}"


def main():
    if holidays.__version__ != VERSION:
        sys.exit(f"holidays {VERSION} is needed, found {holidays.__version__}")
    # The package warns of feasts that it cannot date; covered_years leaves those years out.
    warnings.simplefilter("ignore")
    print(HEADER, end="")
    for country in COUNTRIES:
        years = covered_years(country)
        national = days_of(country, None, years)
        print(f"@{country} {years[0]} {years[-1]}")
        print("\n".join(lines_of(national, years)))
        for subdivision in filter(ISO_SUBDIVISION.fullmatch, getattr(holidays, country).subdivisions):
            local = days_of(country, subdivision, years)
            print(f"@{country}-{subdivision} {years[0]} {years[-1]}")
            lacking = {date: ("-", False) for date in national if date not in local}
            changed = {date: day for date, day in local.items() if national.get(date) != day}
            for line in (*lines_of(lacking, years), *lines_of(changed, years)):
                print(line)


if __name__ == "__main__":
    main()
