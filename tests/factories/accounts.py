"""People, institutes and tokens for tests."""

from datetime import timedelta

import factory
from django.utils import timezone

from equipoise.accounts.models import Account, Institute, ServiceToken
from equipoise.accounts.tokens import new_secret, secret_sha256
from equipoise.common.ids import new_id
from equipoise.common.permissions import Role

PASSWORD = "a long password for tests"


class InstituteFactory(factory.django.DjangoModelFactory[Institute]):
    """An institute."""

    class Meta:
        model = Institute

    name = factory.Sequence(lambda n: f"Institute {n}")
    slug = factory.Sequence(lambda n: f"institute-{n}")


class AccountFactory(factory.django.DjangoModelFactory[Account]):
    """A person who can sign in with ``PASSWORD``."""

    class Meta:
        model = Account
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"person{n}@example.org")
    display_name = factory.Sequence(lambda n: f"Person {n}")
    institute = factory.SubFactory(InstituteFactory)

    @factory.post_generation
    def password(self, create, extracted, **kwargs):
        self.set_password(extracted or PASSWORD)
        if create:
            self.save()


class ServiceTokenFactory(factory.django.DjangoModelFactory[ServiceToken]):
    """A program's token; its secret is the attribute ``secret`` of what ``create_token`` returns."""

    class Meta:
        model = ServiceToken

    label = factory.Sequence(lambda n: f"pipeline {n}")
    prefix = "eqp_test"
    secret_sha256 = factory.Sequence(lambda n: secret_sha256(f"unused secret {n}"))
    trial_id = factory.LazyFunction(new_id)
    role = Role.ALGORITHM.value
    created_by = factory.SubFactory(AccountFactory)
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=30))


def create_token(**fields) -> tuple[ServiceToken, str]:
    """Make a token and return it with its secret."""
    secret = new_secret()
    return ServiceTokenFactory.create(secret_sha256=secret_sha256(secret), **fields), secret
