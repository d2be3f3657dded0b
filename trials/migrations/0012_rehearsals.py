import django.db.models.deletion
import equipoise.common.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0011_aid_of_opened_readings'),
    ]

    operations = [
        migrations.CreateModel(
            name='Rehearsal',
            fields=[
                ('id', models.UUIDField(default=equipoise.common.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('single', 'single'), ('repeated', 'repeated')], max_length=10)),
                ('protocol_sha256', models.CharField(max_length=64)),
                ('protocol_version', models.PositiveIntegerField()),
                ('seed', models.PositiveBigIntegerField()),
                ('repeats', models.PositiveIntegerField(default=1)),
                ('plan', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('passed', 'Passed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=10)),
                ('job_id', models.UUIDField(null=True)),
                ('report', models.JSONField(default=dict)),
                ('message', models.TextField(blank=True)),
                ('requested_by_id', models.UUIDField(null=True)),
                ('created_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rehearsals', to='trials.trial')),
            ],
            options={
                'ordering': ['-created_at'],
                'indexes': [models.Index(fields=['trial', 'protocol_sha256'], name='rehearsal_of_protocol')],
            },
        ),
    ]
