"""What protects an account, in the browser: enrolment, the second step, and the person asked again in place.

The browser has a key of its own here (its virtual authenticator); a key belongs to a name, so the site is visited as
``localhost``.
"""

import re
from contextlib import ExitStack

import pyotp
import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session

from equipoise.accounts.models import Account, Passkey, TotpDevice
from equipoise.accounts.sealing import seal
from tests.accounts.provider import Provider
from tests.e2e import world as e2e
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD, AccountFactory
from tests.faults.real_server import RealServer
from trials.models import Response

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

EMAIL = "ada@example.org"
HOUR_S = 3600
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
REFUSED = (r"^40[13]: ",)
"""What the server answers before the person has been asked."""


@pytest.fixture(scope="module")
def provider():
    running = Provider()
    yield running
    running.close()


@pytest.fixture(scope="module")
def protected_server(django_db_setup, django_db_blocker, tmp_path_factory, provider):
    with django_db_blocker.unblock():
        running = RealServer(
            log=tmp_path_factory.mktemp("protected") / "server.log",
            host="localhost",
            environment={
                "EQUIPOISE_SECOND_FACTOR_ROLES": "administrator",
                "EQUIPOISE_OIDC_ISSUER": provider.issuer,
                "EQUIPOISE_OIDC_CLIENT_ID": "equipoise",
                "EQUIPOISE_OIDC_NAME": "the clinic",
            },
        )
    running.wait()
    yield running
    running.kill()


@pytest.fixture
def come(flushing_db, protected_server, browser):
    """Open browsers; at the end nothing unexpected may have gone wrong in any of them."""
    visits = []
    with ExitStack() as open_visits:

        def open_one(*expected):
            visit = open_visits.enter_context(e2e.visiting(browser, protected_server.url))
            visit.watch.expect(*expected)
            visits.append(visit)
            return visit

        yield open_one
        assert [fault for visit in visits for fault in visit.watch.unexpected()] == []


def give_key(page):
    """Put a security key into the machine, at which somebody presses the button whenever it asks."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasResidentKey": False,
        "hasUserVerification": False,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def give_app(account):
    """Set up an authenticator app without the page."""
    TotpDevice.objects.create(account=account, sealed_secret=seal("totp", SECRET))


def code_now(account, secret=SECRET):
    """Return the app's code; the one taken last counts again, so that nobody waits for the next."""
    TotpDevice.objects.filter(account=account).update(last_step=0)
    return pyotp.TOTP(secret).now()


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def sign_in_by_page(page, email=EMAIL, password=PASSWORD):
    e2e.type_into(page, page.get_by_label("E-mail address"), email)
    e2e.type_into(page, page.get_by_label("Password"), password)
    page.keyboard.press("Enter")


def leave(page):
    button(page, "Sign out").click()
    page.wait_for_url("**/sign-in")
    page.get_by_label("E-mail address").wait_for()


def let_an_hour_pass():
    """As if everybody had signed in an hour ago."""
    for row in Session.objects.all():
        session = SessionStore(session_key=row.session_key)
        session["confirmed_at"] -= HOUR_S
        session.save()


def test_person_sets_up_app_key_and_codes_and_signs_in_by_each(come):
    account = AccountFactory.create(email=EMAIL)
    page = come().page("/account")
    give_key(page)
    sign_in_by_page(page)
    e2e.press_on(page, button(page, "Set up an app"))
    page.get_by_role("img", name="The secret as a picture to scan").wait_for()
    e2e.check_accessible(page)
    secret = page.locator(".eq-secret").inner_text().replace(" ", "")
    e2e.type_into(page, page.get_by_label("Code from your authenticator app"), pyotp.TOTP(secret).now())
    page.keyboard.press("Enter")

    page.get_by_role("heading", name="Your recovery codes").wait_for()
    codes = page.locator(".eq-codes li").all_inner_texts()
    assert (len(codes), account.recovery_codes.count()) == (10, 10)
    e2e.check_accessible(page)
    with page.expect_download() as waited:
        e2e.press_on(page, button(page, "Download"))
    assert waited.value.path().read_text().split()[-10:] == codes
    page.emulate_media(media="print")
    assert page.get_by_role("heading", name="Authenticator app").is_hidden()
    page.emulate_media(media="screen")
    e2e.press_on(page, button(page, "I have kept them"))
    page.get_by_role("heading", name="Your recovery codes").wait_for(state="detached")

    e2e.type_into(page, page.get_by_label("Name of the new key"), "Blue key")
    e2e.press_on(page, button(page, "Add a key"))
    button(page, "Remove Blue key").wait_for()
    assert Passkey.objects.get().account == account
    e2e.check_accessible(page)

    leave(page)
    sign_in_by_page(page)
    page.get_by_role("heading", name="Second step").wait_for()
    e2e.check_accessible(page)
    page.keyboard.type(code_now(account, secret))
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Your trials").wait_for()

    leave(page)
    sign_in_by_page(page)
    e2e.press_on(page, button(page, "Use your key"))
    e2e.press_on(page, button(page, "Use your key"))
    page.get_by_role("heading", name="Your trials").wait_for()
    assert Passkey.objects.get().last_used_at is not None

    leave(page)
    sign_in_by_page(page)
    e2e.press_on(page, button(page, "Use a recovery code"))
    e2e.type_into(page, page.get_by_label("Recovery code"), codes[3])
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Your trials").wait_for()
    page.get_by_role("link", name=account.display_name or EMAIL).click()
    page.get_by_text("9 codes left", exact=True).wait_for()
    e2e.press_on(page, button(page, "Rename Blue key"))
    page.get_by_label("New name of the key").fill("Office key")
    e2e.check_accessible(page)
    e2e.press_on(page, button(page, "Rename the key"))
    e2e.press_on(page, button(page, "Remove Office key"))
    button(page, "Remove Office key").wait_for(state="detached")
    assert not Passkey.objects.exists()


def test_role_that_needs_a_second_step_opens_nothing_before_it_is_set_up(come):
    world = factory.preference_world(cases=0, practice=0)
    visit = come()
    visit.sign_in(world.administrator.email)
    page = visit.page(f"/trials/{world.trial.id}/protocol")
    page.get_by_text("Your role on this site needs a second step").wait_for()
    assert page.url.endswith(f"/account?to=%2Ftrials%2F{world.trial.id}%2Fprotocol")
    e2e.check_accessible(page)
    button(page, "Set up an app").click()
    secret = page.locator(".eq-secret").inner_text().replace(" ", "")
    page.get_by_label("Code from your authenticator app").fill(pyotp.TOTP(secret).now())
    button(page, "Confirm the app").click()
    button(page, "I have kept them").click()
    page.get_by_role("link", name="Go on").click()
    page.get_by_role("heading", name=world.trial.title).wait_for()


def test_file_is_taken_away_after_the_person_was_asked_again(come):
    world = factory.open_world(practice=0, **{"practice.count": 0})
    give_app(world.administrator)
    visit = come()
    page = visit.page(f"/trials/{world.trial.id}/analyses")
    give_key(page)
    sign_in_by_page(page, world.administrator.email)
    page.get_by_label("Code from your authenticator app").fill(code_now(world.administrator))
    page.keyboard.press("Enter")
    file = page.get_by_role("link", name="readings.csv")
    with page.expect_download() as waited:
        file.click()
    at_once = waited.value.path().read_bytes()

    let_an_hour_pass()
    e2e.press_on(page, file)
    dialog = page.get_by_role("dialog", name="Is it you?")
    dialog.wait_for()
    e2e.check_accessible(page)
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    visit.watch.expect(r"^422: POST .*/session/confirm")
    dialog.get_by_text("The password is wrong.").wait_for()
    dialog.get_by_label("Password").fill(PASSWORD)
    with page.expect_download() as waited:
        page.keyboard.press("Enter")
    assert waited.value.path().read_bytes() == at_once
    assert b"participant" in at_once
    dialog.wait_for(state="detached")

    let_an_hour_pass()
    file.click()
    dialog.wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")


def test_weighty_call_is_repeated_after_the_persons_key(come):
    account = AccountFactory.create(email=EMAIL)
    page = come(*REFUSED).page("/account")
    give_key(page)
    sign_in_by_page(page)
    e2e.press_on(page, button(page, "Add a key"))
    button(page, "I have kept them").click()
    let_an_hour_pass()
    e2e.press_on(page, button(page, "Make new codes"))
    dialog = page.get_by_role("dialog", name="Is it you?")
    e2e.press_on(page, dialog.get_by_role("button", name="Use your key"))
    page.get_by_role("heading", name="Your recovery codes").wait_for()
    assert account.recovery_codes.count() == 10


def test_site_administrator_erases_a_person_after_being_asked_again(come):
    AccountFactory.create(email=EMAIL, is_site_administrator=True)
    AccountFactory.create(email="gone@example.org")
    page = come(*REFUSED).page("/trials")
    sign_in_by_page(page)
    page.get_by_text("Erase a person", exact=True).click()
    page.get_by_label("E-mail address of the person").fill("gone@example.org")
    e2e.check_accessible(page)
    button(page, "Erase…").click()
    asked = page.get_by_role("dialog", name="Erase gone@example.org")
    asked.get_by_label("Reason").fill("Asked for by the person")
    e2e.check_accessible(page)
    let_an_hour_pass()
    asked.get_by_role("button", name="Erase for good").click()
    page.get_by_role("dialog", name="Is it you?").get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_text("Erased: 1 account(s)", exact=False).wait_for()
    assert not Account.objects.filter(email="gone@example.org").exists()


def test_expired_session_is_taken_up_in_place_with_both_steps(come):
    account = AccountFactory.create(email=EMAIL)
    give_app(account)
    page = come(*REFUSED).page("/account")
    give_key(page)
    sign_in_by_page(page)
    page.get_by_label("Code from your authenticator app").fill(code_now(account))
    page.keyboard.press("Enter")
    page.get_by_label("Name of the new key").fill("Red key")
    Session.objects.all().delete()
    button(page, "Add a key").click()
    dialog = page.get_by_role("dialog", name="You have been signed out")
    dialog.get_by_text(f"Sign in again as {EMAIL}").wait_for()
    e2e.check_accessible(page)
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    dialog.get_by_label("Code from your authenticator app").fill(code_now(account))
    page.keyboard.press("Enter")
    button(page, "Remove Red key").wait_for()
    assert Passkey.objects.get().label == "Red key"


def test_key_of_a_program_is_made_once_shown_once_and_revoked(come):
    world = factory.open_world(practice=0, **{"practice.count": 0})
    give_app(world.administrator)
    page = come(*REFUSED).page(f"/trials/{world.trial.id}/audit")
    sign_in_by_page(page, world.administrator.email)
    page.get_by_label("Code from your authenticator app").fill(code_now(world.administrator))
    page.keyboard.press("Enter")
    label = page.get_by_role("textbox", name="Program")
    label.wait_for()
    let_an_hour_pass()
    e2e.type_into(page, label, "Pipeline")
    page.get_by_label("Role").select_option("data_manager")
    e2e.press_on(page, button(page, "Make a key"))
    page.get_by_role("dialog", name="Is it you?").get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    secret = page.get_by_text("eqp_").and_(page.locator("code")).inner_text()
    e2e.check_accessible(page)
    table = f"{page.url.split('/trials/')[0]}/api/v1/trials/{world.trial.id}/export/readings.csv"
    bearer = {"Authorization": f"Bearer {secret}"}
    program = page.context.browser.new_context()
    assert program.request.get(table, headers=bearer).status == 200
    e2e.press_on(page, button(page, "Revoke Pipeline"))
    page.get_by_text("revoked 2").wait_for()
    assert program.request.get(table, headers=bearer).status == 401
    program.close()
    page.reload()
    page.get_by_role("cell", name="Pipeline").wait_for()
    assert secret not in page.content()


def test_person_of_the_clinic_comes_back_to_the_page_and_is_asked_there_again(come):
    account = AccountFactory.create(email=EMAIL)
    account.set_unusable_password()
    account.save()
    page = come(*REFUSED).page("/account")
    e2e.press_on(page, page.get_by_role("link", name="Sign in with the clinic"))
    page.get_by_text("none: you sign in elsewhere").wait_for()
    assert page.url.endswith("/account")
    let_an_hour_pass()
    e2e.press_on(page, button(page, "Set up an app"))
    again = page.get_by_role("dialog").get_by_role("link", name="Sign in with the clinic in a new tab")
    again.wait_for()
    e2e.check_accessible(page)
    with page.expect_popup() as opened:
        again.click()
    opened.value.get_by_role("heading", name="Your account").wait_for()
    opened.value.close()
    page.bring_to_front()
    page.evaluate(
        "window.dispatchEvent(new Event('focus'))"
    )  # as a window that is looked at again; headless has none
    page.get_by_role("img", name="The secret as a picture to scan").wait_for()
    page.get_by_role("dialog").wait_for(state="detached")


def test_lock_out_is_said_in_plain_words(come):
    AccountFactory.create(email=EMAIL)
    page = come(r"^422: POST .*/session$", r"^429: POST .*/session$").page("/sign-in")
    sign_in_by_page(page, password="wrong")
    refused = page.get_by_role("alert").get_by_text("E-mail address or password is wrong.")
    for _ in range(2):
        refused.wait_for()
        with page.expect_response(lambda answer: answer.url.endswith("/session")):
            page.keyboard.press("Enter")
    refused.wait_for()  # while the page is busy, Enter does nothing
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_text(re.compile(r"Too many wrong tries. Wait \d min, then try again.")).wait_for()
    e2e.check_accessible(page)


def test_reader_shows_the_second_step_below_the_images_and_loses_nothing(come):
    world = factory.open_world(practice=0, **{"practice.count": 0})
    reader = world.enrol()
    account = Account.objects.get(email=e2e.email_of(reader))
    give_app(account)
    page = come(*REFUSED).page(e2e.reading_path(world))
    sign_in_by_page(page, account.email)
    page.get_by_label("Code from your authenticator app").fill(code_now(account))
    page.keyboard.press("Enter")
    e2e.wait_for_case(page, 1)
    Session.objects.all().delete()
    e2e.answer_by_keyboard(page)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_label("Code", exact=True).fill(code_now(account))
    page.keyboard.press("Enter")
    e2e.wait_for_case(page, 2)
    assert page.get_by_role("dialog").count() == 0
    assert Response.objects.filter(reading__participant=reader).count() == 1
