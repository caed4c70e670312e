from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('hosting', '0021_node_lost'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='transition',
            options={'ordering': ['-pk']},
        ),
    ]
