from library.models import Book, Film
from taggit.models import Tag

for model in (Book, Film):
    for n in range(200):
        thing = model.objects.create(title=words())
        thing.tags.add(*[rng.choice(WORDS) + str(rng.randrange(3)) for _ in range(n % 4)])
Tag.objects.create(name="unused")
