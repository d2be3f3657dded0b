"""At most one reading of a participant is open at a time, whatever the code believes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trials", "0001_first_schema")]

    operations = [
        migrations.AddConstraint(
            model_name="reading",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")), fields=("participant",), name="reading_open_unique"
            ),
        ),
    ]
