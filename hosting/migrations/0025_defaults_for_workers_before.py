from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('hosting', '0024_kept_awake'),
    ]

    operations = [
        migrations.AlterField(
            model_name='replica',
            name='image_missing',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name='replica',
            name='node_lost',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name='revision',
            name='info_missing',
            field=models.TextField(blank=True, db_default='', default='', editable=False),
        ),
        migrations.AlterField(
            model_name='spoolsource',
            name='ended_boot',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
    ]
