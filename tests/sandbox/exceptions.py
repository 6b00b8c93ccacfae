"""What ``exceptions.ics`` shows from 15 March to 12 April 2027 (UTC), worked out by hand with a paper calendar.

Berlin goes from +01:00 to +02:00 and London from +00:00 to +01:00 on Sunday 28 March; New York is at -04:00 throughout.
"""

from pathlib import Path

CALENDAR = Path(__file__).with_name("exceptions.ics")
WINDOW = ("2027-03-15T00:00:00Z", "2027-04-12T00:00:00Z")

MEET = "https://meet.google.com/hbr-quay-wrk"
# start (UTC), end (UTC), subject, location, kind, remark; all-day ones as dates, the end not included.
ROWS = [
    ("2027-03-14T22:00", "2027-03-15T01:00", "Under way when the window opens", "", "singleInstance", ""),
    ("2027-03-15T09:00", "2027-03-15T09:30", "Berth plan", "Pier room 2", "occurrence", ""),
    ("2027-03-16T11:00", "2027-03-16T12:00", "Accounts", "", "exception", ""),
    ("2027-03-16T16:00", "2027-03-16T17:00", "London desk", MEET, "occurrence", ""),
    ("2027-03-17T13:00", "2027-03-17T13:15", "New York call", "", "occurrence", ""),
    ("2027-03-18T13:00", "2027-03-18T13:15", "Canceled: New York call", "", "exception", "cancelled"),
    ("2027-03-18T16:00", "2027-03-18T17:00", "London desk", MEET, "occurrence", ""),
    ("2027-03-19", "2027-03-20", "Market day", "", "occurrence", ""),
    ("2027-03-19T13:00", "2027-03-19T13:15", "New York call", "", "occurrence", ""),
    ("2027-03-20T19:00", "2027-03-20T21:00", "Choir", "", "occurrence", ""),
    ("2027-03-21T07:00", "2027-03-21T08:00", "Sunday round", "", "occurrence", ""),
    ("2027-03-21T13:00", "2027-03-21T13:15", "New York call", "", "occurrence", ""),
    ("2027-03-22T08:00", "2027-03-22T09:00", "Outlook's zone", "", "singleInstance", ""),
    ("2027-03-23T13:00", "2027-03-23T14:00", "Berth plan", "Gate 3", "exception", ""),
    ("2027-03-25T16:00", "2027-03-25T17:00", "London desk: reviews", MEET, "exception", "private"),
    ("2027-03-27", "2027-03-28", "Market day", "", "exception", ""),
    ("2027-03-27T22:00", "2027-03-28T03:00", "Night watch", "", "singleInstance", ""),
    ("2027-03-28T07:30", "2027-03-28T08:00", "Sunday round, later", "", "exception", ""),
    ("2027-03-28T18:00", "2027-03-28T20:00", "Choir", "", "occurrence", ""),
    ("2027-03-29T08:00", "2027-03-29T08:30", "Berth plan", "Pier room 2", "occurrence", ""),
    ("2027-03-30", "2027-04-01", "Office closed", "", "singleInstance", ""),
    ("2027-03-30T15:00", "2027-03-30T16:00", "London desk", MEET, "occurrence", ""),
    ("2027-03-31T07:00", "2027-03-31T08:00", "London desk", MEET, "exception", ""),
    ("2027-04-03T18:00", "2027-04-03T20:00", "Choir", "", "occurrence", ""),
    ("2027-04-04T07:30", "2027-04-04T08:00", "Sunday round, later", "", "exception", ""),
    ("2027-04-06T15:00", "2027-04-06T16:00", "London desk", MEET, "occurrence", ""),
    ("2027-04-07T16:00", "2027-04-07T17:00", "No zone", "", "singleInstance", ""),
    ("2027-04-08T15:00", "2027-04-08T16:00", "London desk", MEET, "occurrence", ""),
    ("2027-04-09", "2027-04-10", "Market day", "", "occurrence", ""),
    ("2027-04-09", "2027-04-12", "Regatta", "", "singleInstance", ""),
]
