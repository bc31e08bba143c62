from wiki.models import URLPath

people = users(20)
root = URLPath.create_root(title="Root ü", content=words(9))
paths = [root]
for n in range(40):
    path = URLPath.create_urlpath(
        rng.choice(paths), "page-%d" % n, title=words(), content=words(20), user_message=words()
    )
    paths.append(path)
autofill("django_nyt", "wiki_notifications", "wiki_attachments", rows=40)
