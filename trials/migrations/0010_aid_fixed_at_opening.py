"""What the aid of a reading shows is kept with the reading."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0009_stored_bundle'),
    ]

    operations = [
        migrations.AddField(
            model_name='reading',
            name='aid_fixed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='reading',
            name='aid_result',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.algorithmresult'),
        ),
        migrations.AddConstraint(
            model_name='reading',
            constraint=models.CheckConstraint(condition=models.Q(('aid_result__isnull', True), ('aid_fixed_at__isnull', False), _connector='OR'), name='reading_aid_fixed'),
        ),
    ]
