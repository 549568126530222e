# /// seed
# document = "Core Concepts"
# section = "Traditional ORM Approach"
# illustrates = "Django, for comparison"
# ///
# Django ORM
from django.db import models, transaction

class User(models.Model):
    name = models.CharField(max_length=100)
    email = models.EmailField()

# Manual transaction management
with transaction.atomic():
    user = User.objects.create(name="Alice", email="alice@example.com")
    # Process user...
    user.save()
