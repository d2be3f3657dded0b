"""Addresses below ``/api/v1/``."""

from django.urls import path

from equipoise.accounts.api import security, views

urlpatterns = [
    path("session", views.SessionView.as_view(), name="session"),
    path("session/second-factor", views.SecondFactorView.as_view(), name="session-second-factor"),
    path("session/passkey", views.SessionPasskeyView.as_view(), name="session-passkey"),
    path("session/confirm", views.SessionConfirmView.as_view(), name="session-confirm"),
    path("session/sso", views.SingleSignOnView.as_view(), name="session-sso"),
    path("session/sso/callback", views.SingleSignOnCallbackView.as_view(), name="session-sso-callback"),
    path("account/security", security.SecurityView.as_view()),
    path("account/password", security.PasswordView.as_view()),
    path("account/totp/offer", security.TotpOfferView.as_view()),
    path("account/totp", security.TotpView.as_view()),
    path("account/passkeys/offer", security.PasskeyOfferView.as_view()),
    path("account/passkeys", security.PasskeyListView.as_view()),
    path("account/passkeys/<uuid:passkey_id>", security.PasskeyView.as_view()),
    path("account/recovery-codes", security.RecoveryCodesView.as_view()),
]
