from django.db import models
from modelcluster.contrib.taggit import ClusterTaggableManager
from modelcluster.fields import ParentalKey
from taggit.models import TaggedItemBase
from wagtail.core.models import Page


class Shelf(Page):
    intro = models.TextField(blank=True)


class ArticleTag(TaggedItemBase):
    content_object = ParentalKey("home.Article", related_name="tagged_items", on_delete=models.CASCADE)


class Article(Page):
    body = models.TextField(blank=True)
    tags = ClusterTaggableManager(through=ArticleTag, blank=True)
