from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('hosting', '0020_ended_routers'),
    ]

    operations = [
        migrations.AddField(
            model_name='replica',
            name='node_lost',
            field=models.BooleanField(default=False),
        ),
    ]
