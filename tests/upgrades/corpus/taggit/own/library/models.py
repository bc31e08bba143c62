from django.db import models
from taggit.managers import TaggableManager


class Book(models.Model):
    title = models.CharField(max_length=200)
    tags = TaggableManager()


class Film(models.Model):
    title = models.CharField(max_length=200)
    tags = TaggableManager(blank=True)
