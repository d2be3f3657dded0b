"""The permission matrix: who may do what at which address, in which state of the trial. Declared here, by hand.

It is not computed from the platform's role table: it is what that table, the views and the state machine are held
against by ``test_matrix.py``, address by address, over two trials. An address that is missing here fails the test.
"""

from dataclasses import dataclass

ALL_STATES = frozenset(
    ["draft", "locked", "open", "paused", "closed", "data-locked", "unblinded", "archived", "abandoned"]
)
RUN_STATES = ALL_STATES - {"draft", "locked"}
UNBLINDED = frozenset({"unblinded", "archived"})

PEOPLE = {
    "A": "administrator",
    "D": "data_manager",
    "M": "blinded_monitor",
    "S": "unblinded_statistician",
    "R": "reader",
}
"""Members of the trial, by the letter that stands for them below."""
PROGRAMS = {"p": "algorithm", "d": "data_manager"}
"""Service tokens of the trial."""
OUTSIDERS = "X0-"
"""The site administrator; a person with an account and no role; nobody (not signed in)."""
EVERYBODY = "ADMSRpdX0-"
SIGNED_IN = "ADMSRpdX0"


@dataclass(frozen=True)
class Row:
    """Who may pass; ``states`` are those of the trial in which they may."""

    who: str
    states: frozenset[str] = ALL_STATES

    def allows(self, letter: str, state: str) -> bool:
        """Say whether the holder of the letter may pass in the state."""
        return letter in self.who and state in self.states


T = "trials/<uuid:trial_id>"
W = f"{T}/dicomweb"
STUDY = f"{W}/studies/<str:study_uid>"
SERIES = f"{STUDY}/series/<str:series_uid>"
INSTANCE = f"{SERIES}/instances/<str:instance_uid>"
READER = "reader/<slug:trial>"

SEES_TRIAL = Row("ADMSd")
PREPARES = Row("A")
INGESTS = Row("ADd")
RETRIEVES = Row("ADd")
SEES_SOURCES = Row("ADSd")
REVIEWS = Row("ADMd")
READS = Row("R")
PUBLIC = Row(EVERYBODY)
OWN = Row(SIGNED_IN)

DOORS: dict[str, Row] = {
    "GET session": PUBLIC,
    "POST session": PUBLIC,
    "DELETE session": PUBLIC,
    "POST session/second-factor": PUBLIC,
    "POST session/passkey": PUBLIC,
    "POST session/confirm": OWN,
    "GET session/sso": PUBLIC,
    "GET session/sso/callback": PUBLIC,
    "GET account/security": OWN,
    "POST account/password": OWN,
    "POST account/totp/offer": OWN,
    "POST account/totp": OWN,
    "DELETE account/totp": OWN,
    "POST account/passkeys/offer": OWN,
    "POST account/passkeys": OWN,
    "PATCH account/passkeys/<uuid:passkey_id>": OWN,
    "DELETE account/passkeys/<uuid:passkey_id>": OWN,
    "POST account/recovery-codes": OWN,
    "GET schema/": PUBLIC,
    "GET docs/": PUBLIC,
    "GET jobs/<uuid:job_id>": SEES_TRIAL,
    "POST jobs/<uuid:job_id>/cancel": INGESTS,
    "POST jobs/<uuid:job_id>/retry": INGESTS,
    "GET jobs/<uuid:job_id>/items": SEES_TRIAL,
    "GET trials": OWN,
    "POST trials": Row("X"),
    "POST trials/import": Row("X"),
    "POST people/erase": Row("X"),
    "GET protocol-templates": OWN,
    "GET protocol-schema": OWN,
    f"GET {T}": SEES_TRIAL,
    f"GET {T}/transitions/<slug:action>": SEES_TRIAL,
    f"POST {T}/transitions/<slug:action>": SEES_TRIAL,
    f"GET {T}/jobs": SEES_TRIAL,
    f"GET {T}/protocol": SEES_TRIAL,
    f"PUT {T}/protocol": PREPARES,
    f"POST {T}/protocol/check": SEES_TRIAL,
    f"GET {T}/protocol/versions/<int:number>": SEES_TRIAL,
    f"GET {T}/protocol/changes": SEES_TRIAL,
    f"POST {T}/protocol/amendments/check": SEES_TRIAL,
    f"POST {T}/protocol/amendments": PREPARES,
    f"POST {T}/copy": SEES_TRIAL,
    f"GET {T}/cases": SEES_SOURCES,
    f"GET {T}/cases/<uuid:case_id>/thumbnail.png": SEES_SOURCES,
    f"GET {T}/cases/<uuid:case_id>/frames/<int:number>.png": INGESTS,
    f"POST {T}/cases/<uuid:case_id>/pixels-reviewed": INGESTS,
    f"GET {T}/quality": SEES_SOURCES,
    f"POST {T}/uploads": INGESTS,
    f"POST {T}/uploads/<uuid:upload_id>/files": INGESTS,
    f"POST {T}/uploads/<uuid:upload_id>/ingest": INGESTS,
    f"GET {T}/ingests": INGESTS,
    f"GET {T}/ingests/<uuid:run_id>": INGESTS,
    f"GET {T}/ingests/<uuid:run_id>/removed": Row("Dd"),
    f"DELETE {T}/ingests/<uuid:run_id>/logs": Row("Dd"),
    f"GET {W}/studies": RETRIEVES,
    f"POST {W}/studies": INGESTS,
    f"GET {W}/series": RETRIEVES,
    f"GET {W}/instances": RETRIEVES,
    f"GET {W}/inbox": INGESTS,
    f"PUT {W}/inbox": INGESTS,
    f"POST {W}/inbox/complete": INGESTS,
    f"GET {STUDY}": RETRIEVES,
    f"POST {STUDY}": INGESTS,
    f"GET {STUDY}/metadata": RETRIEVES,
    f"GET {STUDY}/series": RETRIEVES,
    f"GET {STUDY}/instances": RETRIEVES,
    f"GET {SERIES}": RETRIEVES,
    f"GET {SERIES}/metadata": RETRIEVES,
    f"GET {SERIES}/instances": RETRIEVES,
    f"GET {INSTANCE}": RETRIEVES,
    f"GET {INSTANCE}/metadata": RETRIEVES,
    f"GET {INSTANCE}/rendered": RETRIEVES,
    f"GET {INSTANCE}/frames/<str:frames>": RETRIEVES,
    f"GET {INSTANCE}/frames/<str:frames>/rendered": RETRIEVES,
    f"GET {T}/pacs": INGESTS,
    f"POST {T}/pulls": INGESTS,
    f"GET {T}/references": SEES_SOURCES,
    f"POST {T}/references/import": INGESTS,
    f"GET {T}/items": SEES_SOURCES,
    f"POST {T}/items": PREPARES,
    f"GET {T}/items/<uuid:item_id>/thumbnail.png": SEES_SOURCES,
    f"GET {T}/invitations": PREPARES,
    f"POST {T}/invitations": PREPARES,
    f"POST {T}/invitations/<uuid:invitation_id>/revoke": PREPARES,
    "GET invitations/<str:token>": PUBLIC,
    "POST invitations/<str:token>/accept": PUBLIC,
    f"GET {T}/members": PREPARES,
    f"POST {T}/members/<uuid:membership_id>/revoke": PREPARES,
    f"GET {T}/participants": SEES_TRIAL,
    f"POST {T}/participants/<uuid:participant_id>/withdraw": PREPARES,
    f"POST {T}/participants/<uuid:participant_id>/exclude-data": PREPARES,
    f"GET {T}/algorithms": SEES_SOURCES,
    f"POST {T}/algorithms": INGESTS,
    f"POST {T}/algorithms/<uuid:participant_id>/runs": INGESTS,
    f"GET {T}/allocation": Row("AMS"),
    f"GET {T}/monitor": SEES_TRIAL,
    f"GET {T}/reminders": SEES_TRIAL,
    f"PUT {T}/reminders": PREPARES,
    f"POST {T}/reminders": PREPARES,
    "POST reminders/stop": PUBLIC,
    f"GET {T}/signatures": SEES_TRIAL,
    f"POST {T}/signatures": SEES_TRIAL,
    f"GET {T}/review-records": SEES_TRIAL,
    f"POST {T}/review-records": REVIEWS,
    f"POST {T}/review-records/<uuid:record_id>/steps": REVIEWS,
    f"GET {T}/adjudication": SEES_TRIAL,
    f"GET {T}/rehearsals": SEES_TRIAL,
    f"POST {T}/rehearsals": PREPARES,
    f"GET {T}/rehearsals/<uuid:rehearsal_id>": SEES_TRIAL,
    f"DELETE {T}/rehearsals/<uuid:rehearsal_id>": PREPARES,
    f"POST {T}/readings/<uuid:reading_id>/release": PREPARES,
    f"GET {T}/analyses": Row("AS"),
    f"POST {T}/analyses": Row("AS"),
    f"GET {T}/analyses/<uuid:analysis_id>/files/<path:path>": Row("AS"),
    f"GET {T}/external-tables": Row("AS"),
    f"POST {T}/external-tables": Row("AS"),
    f"GET {T}/bundle": SEES_SOURCES,
    f"POST {T}/bundle": SEES_SOURCES,
    f"GET {T}/bundle/public": SEES_SOURCES,
    f"POST {T}/bundle/public": SEES_SOURCES,
    f"GET {T}/export/<str:name>": SEES_SOURCES,
    f"GET {T}/audit": Row("AMS"),
    f"GET {T}/audit/<str:name>": Row("AMS"),
    f"GET {T}/events": SEES_TRIAL,
    f"GET {T}/webhooks": PREPARES,
    f"POST {T}/webhooks": PREPARES,
    f"POST {T}/webhooks/<uuid:webhook_id>/end": PREPARES,
    f"GET {T}/results": SEES_SOURCES,
    f"POST {T}/results": Row("Ddp"),
    f"GET {T}/tokens": PREPARES,
    f"POST {T}/tokens": PREPARES,
    f"POST {T}/tokens/<uuid:token_id>/revoke": PREPARES,
    "GET reader": OWN,
    f"GET {READER}": READS,
    f"POST {READER}/consent": READS,
    f"POST {READER}/questionnaire": READS,
    f"POST {READER}/instructions": READS,
    f"POST {READER}/display-check": READS,
    f"POST {READER}/break": READS,
    f"POST {READER}/resume": READS,
    f"POST {READER}/closing": READS,
    f"POST {READER}/current/open": READS,
    f"POST {READER}/current/events": READS,
    f"PUT {READER}/current/draft": READS,
    f"POST {READER}/current/submit": READS,
    f"POST {READER}/current/commit": READS,
    f"POST {READER}/current/amend": READS,
}
"""The door of every address below ``/api/v1/``: who gets as far as its handler, whatever the trial's state."""

SHOWS = {
    f"GET {T}/cases": "case:viewed",
    f"GET {T}/cases/<uuid:case_id>/thumbnail.png": "case:viewed",
    f"GET {T}/cases/<uuid:case_id>/frames/<int:number>.png": "case:viewed",
    f"GET {T}/quality": "case:viewed",
    f"GET {T}/items/<uuid:item_id>/thumbnail.png": "case:viewed",
    f"GET {T}/references": "case:viewed",
    f"GET {W}/studies": "case:viewed",
    f"GET {W}/series": "case:viewed",
    f"GET {W}/instances": "case:viewed",
    f"GET {STUDY}/series": "case:viewed",
    f"GET {STUDY}/instances": "case:viewed",
    f"GET {SERIES}/instances": "case:viewed",
    f"GET {STUDY}": "export:downloaded",
    f"GET {STUDY}/metadata": "export:downloaded",
    f"GET {SERIES}": "export:downloaded",
    f"GET {SERIES}/metadata": "export:downloaded",
    f"GET {INSTANCE}": "export:downloaded",
    f"GET {INSTANCE}/metadata": "export:downloaded",
    f"GET {INSTANCE}/rendered": "export:downloaded",
    f"GET {INSTANCE}/frames/<str:frames>": "export:downloaded",
    f"GET {INSTANCE}/frames/<str:frames>/rendered": "export:downloaded",
    f"GET {T}/allocation": "allocation:viewed",
    f"GET {T}/algorithms": "result:viewed",
    f"GET {T}/results": "result:viewed",
    f"GET {T}/analyses": "analysis:viewed",
    f"GET {T}/analyses/<uuid:analysis_id>/files/<path:path>": "analysis:viewed",
    f"GET {T}/external-tables": "analysis:viewed",
    f"GET {T}/export/<str:name>": "export:downloaded",
    f"GET {T}/audit/<str:name>": "export:downloaded",
}
"""Addresses that show images, sources of contours, outcomes or results, and the entry that a look at each leaves."""

SHOWS_NEITHER = {
    f"GET {T}{rest}"
    for rest in (
        "", "/jobs", "/protocol", "/protocol/versions/<int:number>", "/protocol/changes", "/ingests",
        "/ingests/<uuid:run_id>", "/ingests/<uuid:run_id>/removed", "/dicomweb/inbox", "/pacs", "/items",
        "/invitations", "/participants", "/monitor", "/reminders", "/review-records", "/adjudication", "/rehearsals",
        "/rehearsals/<uuid:rehearsal_id>", "/bundle", "/bundle/public", "/signatures", "/audit", "/events",
        "/webhooks", "/tokens", "/transitions/<slug:action>", "/members",
    )
}  # fmt: skip
"""Every other address below a trial: progress, people, the protocol, acts; simulated readings. No image, no outcome."""

PLAIN = frozenset(
    {
        "^api/.*$",
        "healthz",
        "readyz",
        "metrics",
        "frames/<str:token>/<int:number>",
        "^(?!api/|frames/|static/|assets/).*$",
    }
)
"""Addresses outside the API: health, counts, the frontend's page, and frames, which check a session's token."""

ACTS: dict[str, Row] = {
    f"POST {T}/transitions/lock": Row("A", frozenset({"draft"})),
    f"POST {T}/transitions/open": Row("A", frozenset({"locked"})),
    f"POST {T}/transitions/pause": Row("A", frozenset({"open"})),
    f"POST {T}/transitions/resume": Row("A", frozenset({"paused"})),
    f"POST {T}/transitions/close": Row("A", frozenset({"open", "paused"})),
    f"POST {T}/transitions/data-lock": Row("A", frozenset({"closed"})),
    f"POST {T}/transitions/unblind": Row("AS", frozenset({"data-locked"})),
    f"POST {T}/transitions/archive": Row("A", frozenset({"unblinded"})),
    f"POST {T}/transitions/abandon": Row("A", ALL_STATES - UNBLINDED - {"abandoned"}),
    f"GET {T}/bundle": Row("AS", UNBLINDED),
    f"GET {T}/bundle/public": Row("AS", UNBLINDED),
    f"GET {T}/export/readings.csv": Row("ADSd", RUN_STATES),
    f"GET {T}/export/readings.json": Row("ADSd", RUN_STATES),
    f"GET {T}/export/tables.xlsx": Row("ADSd", RUN_STATES),
    f"GET {T}/export/environments.csv": Row("ADSd", RUN_STATES),
    f"GET {T}/export/truth.csv": Row("ADSd"),
}
"""What hangs on the trial's state as well: the same addresses, by what is asked for."""

SEED_SEEN = (Row("S", ALL_STATES - {"draft"}), Row("AMS", UNBLINDED))
"""Who sees the allocation's seed and rows behind its door: the statistician; after unblinding, all who pass."""

PROVEN = {
    "DELETE account/passkeys/<uuid:passkey_id>": OWN,
    "DELETE account/totp": OWN,
    "PATCH account/passkeys/<uuid:passkey_id>": OWN,
    "POST account/passkeys": OWN,
    "POST account/passkeys/offer": OWN,
    "POST account/recovery-codes": OWN,
    "POST account/totp": OWN,
    "POST account/totp/offer": OWN,
    "POST people/erase": Row("X"),
    f"POST {T}/tokens": PREPARES,
    f"GET {T}/export/<str:name>": Row("ADS", RUN_STATES),
}
"""What asks people for a fresh proof of who they are. Bundle and audit trail do once there is a file to give."""

SIGNED = {
    f"{T}/transitions/lock": "draft",
    f"{T}/transitions/data-lock": "closed",
    f"{T}/transitions/unblind": "data-locked",
    f"{T}/signatures": "open",
}
"""What asks for the password with the very act, and a state in which it is done: a signature."""
