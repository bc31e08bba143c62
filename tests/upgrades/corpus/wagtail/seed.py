from home.models import Article, Shelf
from wagtail.core.models import Page

people = users(20)
root = Page.objects.get(depth=1)
home = root.add_child(instance=Shelf(title="Home ü", slug="root-shelf"))
shelves = [home] + [home.add_child(instance=Shelf(title=words(), slug="shelf-%d" % n)) for n in range(6)]
articles = []
for n in range(60):
    page = Article(title=words(), slug="article-%d" % n, body=words(9), owner=rng.choice(people), live=n % 4 > 0)
    rng.choice(shelves).add_child(instance=page)
    page.tags.add(*[rng.choice(WORDS[:6]) for _ in range(n % 3)])
    page.save()
    for m in range(n % 4):
        page.title = words()
        revision = page.save_revision(user=rng.choice(people + [None]), submitted_for_moderation=m == 2 and n % 8 == 3)
        if m == 1:
            revision.publish()
        if m == 2 and n % 3:
            revision.approved_go_live_at = moment()
            revision.save()
    articles.append(page)
for page in articles[:10]:
    page.copy(to=shelves[0], update_attrs={"slug": page.slug + "-copy", "title": page.title})
for page in articles[20:26]:
    page.move(shelves[1], pos="last-child")
labels = [
    "wagtailforms",
    "wagtailredirects",
    "wagtailsearchpromotions",
    "wagtailembeds",
    "wagtailusers",
    "wagtaildocs",
    "wagtailimages",
    "wagtailsearch",
    "wagtailadmin",
    "wagtailcore",
]
autofill("auth", rows=10, skip=("auth.User", "auth.Permission"))
import json

data = lambda n: json.dumps({"fields": {"title": {"old": words(), "new": words()}}, "n": 1.50})
autofill(
    *labels,
    rows=25,
    given={
        "wagtailcore.PageLogEntry.data_json": data,
        "wagtailcore.ModelLogEntry.data_json": data,
        "wagtailforms.FormSubmission.form_data": data,
    },
    skip=(
        "wagtailcore.GroupPagePermission",
        "wagtailcore.Page",
        "wagtailcore.PageRevision",
        "wagtailcore.Site",
        "wagtailcore.Collection",
        "wagtailcore.Locale",
        "wagtailsearch.IndexEntry",
        "wagtailsearch.SQLiteFTSIndexEntry",
    ),
)
