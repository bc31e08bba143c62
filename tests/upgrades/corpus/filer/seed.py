from filer.models import Folder

people = users(20)
folders = []
for n in range(40):
    folders.append(
        Folder.objects.create(
            name="%s %d" % (words(1), n), parent=rng.choice(folders + [None]), owner=rng.choice(people + [None])
        )
    )
autofill("filer", rows=60, skip=("filer.Folder",))
autofill("easy_thumbnails", rows=60)
