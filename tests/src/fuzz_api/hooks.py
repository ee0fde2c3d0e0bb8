"""What documents cannot say of right requests, for Schemathesis: what is in a text, which day it is,
and which values have to go together. Wrong requests are left as they are made up."""

import datetime
import re
import string

import schemathesis
from hypothesis import strategies as st

# Letters of several scripts that are never composed into fewer, and blanks between them: what is
# in names is tried by the project's own tests.
LETTERS = string.ascii_letters + string.digits + "'.-éøłßñΩжшק中文山🙂"
WORDS = st.text(LETTERS, min_size=1, max_size=80)
KEPT = ("id", "version", "createdAt", "updatedAt", "registeredDate", "billing", "earlierIds",
        "restricted")
BORN_FIRST = "1850-01-01"
BORN = st.dates(datetime.date(1850, 1, 1), datetime.date.today() - datetime.timedelta(days=1))

schemathesis.openapi.format("line", st.one_of(WORDS, st.builds("{} {}".format, WORDS, WORDS)))
schemathesis.openapi.format("lines", st.one_of(WORDS, st.builds("{}\n{}".format, WORDS, WORDS)))
schemathesis.openapi.format("password", st.text(string.ascii_letters + string.digits, min_size=8))
schemathesis.openapi.format("date", BORN.map(str))
schemathesis.openapi.format("entity-tags", st.sampled_from(["*", '"1"', 'W/"2", "3"']))
schemathesis.openapi.format("cursor", st.just(""))


def created(body):
    """Nobody is registered before birth."""
    born, registered = body.get("dateOfBirth"), body.get("registeredDate")
    if isinstance(born, str) and isinstance(registered, str) and registered < born:
        body["registeredDate"] = born


def replaced(body):
    """What cannot be changed is left out, and nobody is born after the day of registration."""
    for name in KEPT:
        body.pop(name, None)
    body["dateOfBirth"] = BORN_FIRST


def booked(body):
    """An amount is in the account's currency."""
    body["amount"]["currency"] = "EUR"


def searched(body):
    """A range of dates does not end before it begins."""
    if body.get("dateOfBirthFrom") is not None:
        body.pop("dateOfBirthTo", None)


def guarded(body):
    """A password is none of those that everybody tries first."""
    if body.get("password") is not None:
        body["password"] = "four words of mine"


def edited(body):
    """A user is replaced as anybody may be, and what cannot be changed is left out."""
    guarded(body)
    for name in KEPT:
        body.pop(name, None)


def renamed(body):
    """Only one's name is one's own to change."""
    for name in (*KEPT, "email", "role", "disabled"):
        body.pop(name, None)


def listed(query):
    """Filters in URLs are for applications that want them there."""
    for name in ("name", "email", "dateOfBirthFrom", "dateOfBirthTo"):
        query.pop(name, None)


def active(query):
    """One patient is no list to be limited."""
    if "patient" in query:
        query.pop("limit", None)


def spanned(query):
    """A span is of so many buckets at most, and does not end before it begins."""
    span = {"from": "2024-01-10T09:30:00Z", "to": "2024-01-11T12:00:00+01:00"}
    if query.keys() & span.keys():
        query.update(span)


def audited(query):
    """Years of four digits that PostgreSQL has, and networks that there are."""
    if "address" in query:
        query["address"] = "192.0.2.0/24"
    for name in query.keys() & {"from", "to"}:
        query[name] = "2024-01-10T09:30:00Z"


# What makes a right query fit, by operation, and a right document.
QUERIES = {
    "patients.list": listed,
    "patients.audit": audited,
    "auth.audit": audited,
    "billing.audit": audited,
    "analytics.audit": audited,
    "analytics.activity": active,
    "analytics.timeline": spanned,
}
BODIES = {
    "patients.create": created,
    "patients.replace": replaced,
    "patients.search": searched,
    "auth.create-user": guarded,
    "auth.replace-user": edited,
    "auth.change-me": renamed,
    "billing.charge": booked,
    "billing.pay": booked,
    "billing.refund": booked,
}


def whole(value):
    """9.0 is a whole number to JSON Schema, and none to us: what counts money does not round."""
    if isinstance(value, dict):
        return {name: whole(member) for name, member in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schemathesis.hook
def filter_case(context, case):
    """A null that may be there has no format to be wrong, although it is made up for that."""
    made = case.meta and case.meta.phase.data
    wrong = f"{getattr(made, 'description', '')} {getattr(made, 'location', '')}"
    field = re.search(r"`format`.*/properties/(\w+)", wrong)
    if field is None or not isinstance(case.body, dict):
        return True
    return case.body.get(field[1]) is not None


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    name = case.operation.definition.raw.get("operationId")
    if isinstance(case.query, dict):
        # A position comes out of a link, and is nobody's to make up.
        case.query.pop("after", None)
        QUERIES.get(name, id)(case.query)
    if isinstance(case.body, dict):
        case.body = whole(case.body)
        BODIES.get(name, id)(case.body)
