"""Reads a JSON list of iCalendar texts; for each writes what three parsers that are not ours make of it.

icalendar and vobject read the properties; dateutil makes moments of a series, by the text's own VTIMEZONE.
"""

import io
import json
import sys
from datetime import timedelta

import icalendar
import vobject
from dateutil import rrule, tz


def moments(event, text):
    start = event["DTSTART"].dt
    length = event["DURATION"].dt if "DURATION" in event else event["DTEND"].dt - start
    if "RRULE" not in event:
        starts = [start]
    else:
        zone = tz.tzical(io.StringIO(text)).get(event["DTSTART"].params["TZID"])
        series = rrule.rruleset()
        line = event["RRULE"].to_ical().decode()
        # dateutil wants the last moment on the clock of the start: the start is made floating.
        rule, until = [], None
        for part in line.split(";"):
            if part.startswith("UNTIL="):
                until = event["RRULE"]["UNTIL"][0]
                part = "UNTIL=" + until.astimezone(zone).strftime("%Y%m%dT%H%M%S")
            rule.append(part)
        series.rrule(rrule.rrulestr(";".join(rule), dtstart=start.replace(tzinfo=None)))
        excepted = event.get("EXDATE")
        for dates in excepted if isinstance(excepted, list) else [excepted] if excepted else []:
            for date in dates.dts:
                series.exdate(date.dt.replace(tzinfo=None))
        starts = [existing(date.replace(tzinfo=zone)) for date in series]
        starts = sorted({start.astimezone(tz.UTC) for start in starts})
    return [[int(start.timestamp()), int((start + length).timestamp())] for start in starts]


def existing(date):
    """A time that is jumped over, read with the offset before the jump.

    Only where the clock is put forward: where it is put back out of a negative daylight saving time (Morocco),
    dateutil takes times that come twice for such that don't exist.
    """
    day = timedelta(hours=24)
    forward = (date + day).utcoffset() > (date - day).utcoffset()
    return tz.resolve_imaginary(date) if forward else date


def read(text):
    calendar = icalendar.Calendar.from_ical(text)
    [event] = calendar.walk("VEVENT")
    if event.errors:
        raise ValueError(event.errors)
    other = vobject.readOne(text)
    for name in ["summary", "uid", "description"]:
        one, two = getattr(other.vevent, name).value, str(event[name])
        # Debian's icalendar (4.0.3) undoes the escape of a backslash twice: there vobject's word stands alone.
        if one != two and "\\" not in one:
            raise ValueError(f"vobject reads {one!r}, icalendar {two!r} in {text}")
    people = event["ATTENDEE"] if isinstance(event["ATTENDEE"], list) else [event["ATTENDEE"]]
    return {
        "method": str(calendar["METHOD"]),
        "uid": other.vevent.uid.value,
        "sequence": int(event["SEQUENCE"]),
        "summary": other.vevent.summary.value,
        "description": other.vevent.description.value,
        "status": str(event.get("STATUS", "")),
        "organizer": str(event["ORGANIZER"]),
        "attendees": [[str(who), who.params["CN"]] for who in people],
        "moments": moments(event, text),
    }


json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
