"""Readings of every task: periods, stages, washouts, reference standards, and files of answers."""

import django.db.models.deletion
import equipoise.common.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0006_algorithm_runs'),
    ]

    operations = [
        migrations.AddField(
            model_name='allocationrow',
            name='aid_item',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.item'),
        ),
        migrations.AddField(
            model_name='allocationrow',
            name='min_days',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='allocationrow',
            name='period',
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AddField(
            model_name='allocationrow',
            name='stage',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='item',
            name='stratum',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='item',
            name='unit',
            field=models.CharField(default='slice', max_length=10),
        ),
        migrations.AddField(
            model_name='participant',
            name='last_break_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='reading',
            name='min_days',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='reading',
            name='period',
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AddField(
            model_name='reading',
            name='stage',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name='allocationrow',
            name='left',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.contour'),
        ),
        migrations.AlterField(
            model_name='allocationrow',
            name='right',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.contour'),
        ),
        migrations.AlterField(
            model_name='item',
            name='candidate_a',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.contour'),
        ),
        migrations.AlterField(
            model_name='item',
            name='candidate_b',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.contour'),
        ),
        migrations.AlterField(
            model_name='reading',
            name='left',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.contour'),
        ),
        migrations.AlterField(
            model_name='reading',
            name='right',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.contour'),
        ),
        migrations.CreateModel(
            name='ReferenceStandard',
            fields=[
                ('id', models.UUIDField(default=equipoise.common.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField()),
                ('truth', models.PositiveSmallIntegerField(null=True)),
                ('status', models.CharField(choices=[('final', 'Final'), ('indeterminate', 'Indeterminate'), ('pending', 'Pending')], max_length=15)),
                ('source', models.CharField(max_length=300)),
                ('established_on', models.DateField()),
                ('labellers', models.CharField(max_length=300)),
                ('imported_at', models.DateTimeField()),
                ('case', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reference_standards', to='trials.case')),
            ],
            options={
                'ordering': ['version'],
                'constraints': [models.UniqueConstraint(fields=('case', 'version'), name='reference_version_unique'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'final'), ('truth__in', [0, 1])), models.Q(('truth__isnull', True), models.Q(('status', 'final'), _negated=True)), _connector='OR'), name='reference_truth_when_final')],
            },
        ),
        migrations.CreateModel(
            name='ResponseFile',
            fields=[
                ('id', models.UUIDField(default=equipoise.common.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('realm', models.CharField(choices=[('live', 'Live'), ('rehearsal', 'Rehearsal')], default='live', max_length=10)),
                ('name', models.CharField(max_length=40)),
                ('key', models.CharField(max_length=200, unique=True)),
                ('sha256', models.CharField(max_length=64)),
                ('size_bytes', models.PositiveIntegerField()),
                ('late_submission', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='files', to='trials.latesubmission')),
                ('response', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='files', to='trials.response')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('response', 'name'), name='response_file_unique'), models.CheckConstraint(condition=models.Q(models.Q(('late_submission__isnull', True), ('response__isnull', False)), models.Q(('late_submission__isnull', False), ('response__isnull', True)), _connector='OR'), name='response_file_of_one_answer')],
            },
        ),
    ]
