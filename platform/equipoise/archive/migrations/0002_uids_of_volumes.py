from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("archive", "0001_volumes_masks_runs_and_tokens")]

    operations = [
        migrations.AddField(
            "storedvolume",
            "study_uid",
            models.CharField(max_length=64, default="", db_index=True),
            preserve_default=False,
        ),
        migrations.AddField(
            "storedvolume",
            "series_uid",
            models.CharField(max_length=64, default="", db_index=True),
            preserve_default=False,
        ),
        migrations.AddField(
            "storedvolume",
            "frame_of_reference_uid",
            models.CharField(max_length=64, default=""),
            preserve_default=False,
        ),
    ]
