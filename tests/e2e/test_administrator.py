"""An administrator takes a trial from a template to the table, in the browser, with a real worker behind it."""

import csv
import io
import re
import uuid
import zipfile

import pytest
from django.conf import settings

from tests.e2e import world as e2e
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD, AccountFactory
from tests.jobs.real_worker import RealWorker
from trials.domain.bundle import bundle_problems
from trials.models import Trial
from trials.rehearsal.phantoms import write_phantom_patient
from trials.selectors.templates import template

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

SEED = 20260704
CASES, READERS = 3, 2
SECTIONS = (
    "overview",
    "protocol",
    "cases",
    "participants",
    "rehearsal",
    "allocation",
    "monitor",
    "analyses",
    "audit",
)
LONG_MS = 60_000


@pytest.fixture
def worker(site, tmp_path):
    running = RealWorker(
        broker_url=settings.BROKER_URL, queue=",".join(settings.JOB_QUEUES), log=tmp_path / "worker.log"
    )
    yield running
    running.kill()


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """A folder of phantom patients for the trial, and one for practice."""
    folder = tmp_path_factory.mktemp("patients")
    for number in range(CASES):
        write_phantom_patient(folder / "trial", number=number, seed=SEED)
    write_phantom_patient(folder / "practice", number=CASES, seed=SEED)
    return folder


def small_protocol() -> str:
    """Return the shipped protocol with numbers that three phantom patients can fill."""
    text = template("contour-preference").text
    changes = {
        "count: 100": f"count: {2 * CASES}",
        "max_per_case_and_expert: 1": "max_per_case_and_expert: 2",
        "min_distance_mm: 10": "min_distance_mm: 3",
        "count: 3\n": "count: 1\n",
        "participants: 40": f"participants: {READERS}",
        "min_case_distance: 5": "min_case_distance: 1",
        "percent: 10": "count: 1",
        "min_distance: 20": "min_distance: 2",
        "pairs: 20": "pairs: 2",
    }
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def bundle_problems_of(file, folder):
    """Return in what the files of a bundle differ from its manifest."""
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder / "bundle")
    return bundle_problems(folder / "bundle")


class Administration:
    """The administrator's page and what is done on it."""

    def __init__(self, page, trial_id=""):
        self.page, self.trial_id = page, trial_id

    def button(self, name):
        return self.page.get_by_role("button", name=name)

    def go(self, section):
        """Go to a section by the rail; its page stands when nothing is loading."""
        self.page.get_by_role("navigation").get_by_role("link", name=section.capitalize()).click()
        self.page.wait_for_url(re.compile(f"/trials/[^/]+/{section}"))
        e2e.settled(self.page)

    def step(self, label, *, reason="as planned", password=PASSWORD):
        """Take the next step of the trial's life."""
        self.button(label).click()
        dialog = self.page.get_by_role("dialog")
        dialog.wait_for()
        e2e.check_accessible(self.page)
        if reason:
            dialog.get_by_label("Reason", exact=False).fill(reason)
        if password:
            dialog.locator("input[type=password]").fill(password)
        dialog.get_by_role("button", name=f"Confirm: {label}").click()
        dialog.wait_for(state="detached")

    def sign(self, words):
        """Sign by keyboard."""
        button = self.button(f"Sign: {words}")
        button.focus()
        self.page.keyboard.press("Enter")
        dialog = self.page.get_by_role("dialog")
        dialog.locator("input[type=password]").focus()
        e2e.check_accessible(self.page)
        self.page.keyboard.type(PASSWORD)
        self.page.keyboard.press("Enter")
        dialog.wait_for(state="detached")

    def upload(self, folder, *, purpose):
        """Send a folder and wait until it is read in."""
        page = self.page
        page.locator("input[type=file]").first.set_input_files(folder)
        page.get_by_label("Name of the contour").nth(0).fill("GTV-1")
        page.get_by_label("It names").nth(1).select_option("file")
        page.get_by_label("Name of the contour").nth(1).fill("*_algorithm.nrrd")
        page.get_by_label("These cases are for").select_option(purpose)
        with page.expect_response(re.compile("/ingest$")):
            self.button("Upload and read in").click()
        page.get_by_role("status").filter(has_text="Done").wait_for(timeout=LONG_MS)


def points_are_read(page) -> None:
    """Read a figure's points with the arrow keys, then the same one with the pointer."""
    words = page.locator(".eq-figure-words")
    slider = page.get_by_role("slider", name=re.compile("^Points of the figure")).first
    with page.expect_response(re.compile(r"\.points\.json$")):
        slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    words.wait_for()
    told = words.inner_text()
    assert told == slider.get_attribute("aria-valuetext")
    mark = page.locator(".eq-figure-mark").bounding_box()
    slider.blur()
    words.wait_for(state="detached")
    page.mouse.move(mark["x"] + mark["width"] / 2 + 3, mark["y"] + mark["height"] / 2)
    words.wait_for()
    assert words.inner_text() == told


def test_administrator_takes_a_trial_from_template_to_table(visit, site, worker, patients, tmp_path):
    administrator = AccountFactory.create(is_site_administrator=True)
    browser = visit()
    browser.watch.expect(r"^401: ")
    page = browser.page("/sign-in")
    on = Administration(page)

    page.get_by_label("E-mail address").fill(administrator.email)
    page.get_by_label("Password").fill(PASSWORD)
    e2e.check_accessible(page)
    on.button("Sign in").click()
    page.wait_for_url(re.compile("/trials$"))
    on.button("New trial").click()
    page.get_by_label("Title").fill("Lung tumour contours 2026")
    e2e.check_accessible(page)
    on.button("Create the trial").click()
    page.wait_for_url(re.compile(r"/trials/[0-9a-f-]+/protocol"))
    trial = Trial.objects.get()
    assert (trial.slug, trial.state) == ("lung-tumour-contours-2026", "draft")

    # the protocol as a form and as text; a misspelt key is told by its line
    page.get_by_text("Practice", exact=True).first.wait_for()
    e2e.check_accessible(page)
    page.get_by_role("radiogroup").locator("label").filter(has_text="Text").click()
    editor = page.get_by_role("textbox", name="Text")
    misspelt = small_protocol().replace("max_per_case_and_expert: 2", "max_per_case_and_expret: 2")
    line = 1 + misspelt[: misspelt.index("expret")].count("\n")
    editor.fill(misspelt)
    on.button(f"line {line}").wait_for()
    page.get_by_text("max_per_case_and_expret").first.wait_for()
    e2e.check_accessible(page)
    editor.fill(small_protocol())
    on.button(f"line {line}").wait_for(state="detached")
    unsaved = page.get_by_text("Save the protocol first", exact=False)
    unsaved.wait_for()
    on.button("Save").click()
    page.get_by_role("status").filter(has_text=re.compile("^Saved$")).wait_for()
    unsaved.wait_for(state="detached")

    # material in, and items drawn
    on.go("cases")
    on.upload(patients / "trial", purpose="trial")
    on.upload(patients / "practice", purpose="practice")
    reports = page.get_by_role("region", name="What became of each file").locator("> details")
    reports.nth(1).wait_for()
    report = reports.first
    report.locator("summary").first.click()
    report.get_by_role("cell", name="structures.dcm").first.wait_for()
    on.button("Draw the items").click()
    page.get_by_text(f"{2 * CASES} of {2 * CASES} requested items drawn").wait_for()
    page.wait_for_function(
        "() => [...document.images].every((image) => image.complete && image.naturalWidth > 0)"
    )
    e2e.check_accessible(page)

    # an invitation, a rehearsal by the worker, protocol lock that leans on it, balance, open
    on.go("participants")
    page.get_by_label("E-mail address").fill("reader@example.org")
    on.button("Make an invitation").click()
    page.get_by_text("This link is shown once").wait_for()
    team = page.get_by_role("region", name="The trial's team")
    team.get_by_role("cell", name=administrator.email).wait_for()
    e2e.check_accessible(page)
    on.go("rehearsal")
    page.get_by_text("has not been rehearsed", exact=False).wait_for()
    on.button("Rehearse once").click()
    page.get_by_text("Protocol lock can lean on the rehearsal of this version.").wait_for(timeout=2 * LONG_MS)
    page.get_by_text("A reader needs about", exact=False).wait_for()
    e2e.check_accessible(page)
    on.step("Protocol lock")
    on.go("allocation")
    page.get_by_text("Sealed until unblinding").wait_for()
    page.get_by_role("heading", name="As allocated", exact=True).wait_for()
    on.step("Open for readers", reason="", password="")

    world = factory.PreferenceWorld(
        trial=Trial.objects.get(), administrator=administrator, statistician=administrator
    )
    for speciality in ("radiology", "radiation_oncology"):
        reader = world.enrol(speciality=speciality)
        factory.read_everything(
            reader, choose=lambda reading: "left" if reading.left.source == "algorithm" else "right"
        )
    for section in SECTIONS:
        on.go(section)
        e2e.check_accessible(page)
    on.go("monitor")
    page.get_by_role("cell", name="R-02").first.wait_for()

    # the end: closed, frozen, unblinded, analysed, exported
    on.step("Close", password="")
    on.go("analyses")
    page.get_by_text("Results by arm are shown after unblinding.", exact=False).wait_for()
    on.step("Data lock")
    on.step("Unblind")
    on.go("allocation")
    page.get_by_text("Sealed until unblinding").wait_for(state="detached")
    signatures = page.get_by_role("region", name="Signatures")
    signatures.get_by_role("cell", name="released the allocation").wait_for()
    assert signatures.get_by_role("cell", name=administrator.display_name).count() == 2
    on.go("analyses")
    on.button("Run").click()
    figure = page.locator("figure img").first
    figure.wait_for(timeout=LONG_MS)
    page.wait_for_function("() => document.querySelector('figure img').naturalWidth > 0")
    points_are_read(page)
    e2e.check_accessible(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="readings.csv").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8"))))
    assert len(rows) == READERS * (2 * CASES + 1 + 2)
    assert {row["preferred"] for row in rows if row["task"] == "preference"} == {"algorithm"}
    assert uuid.UUID(str(world.trial.id)).hex in page.url.replace("-", "")

    # the bundle, the report in it, the archive; the same bundle does not come in twice
    page.get_by_text("make the bundle to read it").wait_for()
    assert page.get_by_role("link", name="report.html").count() == 0
    page.get_by_label("Why it is made").fill("For the archive")
    on.button("Make the bundle").click()
    page.get_by_text(re.compile(r"^Made .* files, .*iB\.$")).wait_for(timeout=LONG_MS)
    e2e.check_accessible(page)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="report.html").click()
    report = opened.value
    report.get_by_role("heading", name="Flow of cases, readers and readings").wait_for(timeout=LONG_MS)
    assert report.evaluate("getComputedStyle(document.querySelector('h1')).fontSize") == "26px"
    report.close()
    on.sign("reviewed and approved the report")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="report.html").click()
    report = opened.value
    report.get_by_role("cell", name="reviewed and approved the report").wait_for(timeout=LONG_MS)
    report.close()
    page.get_by_label("Why it is made").fill("With the signature")
    on.button("Make it again").click()
    page.get_by_text("somebody has signed since", exact=False).wait_for(state="detached", timeout=LONG_MS)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    bundle = download.value.path()
    assert bundle_problems_of(bundle, tmp_path) == []
    on.go("audit")
    page.get_by_label("What").select_option("signature")
    page.get_by_role("cell", name="trial:locked").wait_for(state="detached")
    assert page.get_by_role("cell", name="signature:made").count() == 4
    e2e.check_accessible(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="audit.csv").click()
    entries = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8"))))
    assert [entry["kind"] for entry in entries] == ["signature:made"] * 4
    on.step("Archive", reason="")
    page.locator("li[aria-current=step]").filter(has_text="Archived").wait_for()
    browser.watch.expect(r"^422: ")
    page.get_by_role("link", name="Equipoise").click()
    page.get_by_text("Import a bundle").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "bundle.zip", "mimeType": "application/zip", "buffer": bundle.read_bytes()}
    )
    page.get_by_label("Short name here").fill("once-more")
    e2e.check_accessible(page)
    on.button("Import").click()
    page.get_by_role("alert").filter(has_text="This bundle is here already").wait_for(timeout=LONG_MS)
    assert Trial.objects.count() == 1
