"""Fill a new, empty database (DATABASE_URL) with the music school as it was before the rename.

`python demo/seed.py` migrates with the OLD release and inserts the same rows each time: the generator is seeded and
no date depends on today. A database that has rows already is left alone.
"""

import os
import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING

import manage

if TYPE_CHECKING:
    from lessons.models import Booking, Contract, Lesson, Student, Teacher

OLD = manage.DEMO / "old"
SCHOOL_YEAR = date(2024, 9, 2)
# Attendance is known up to this day, and unknown (NULL) after it.
RECORDED_UNTIL = date(2025, 3, 28)
STUDENTS, CONTRACTS, LESSONS, BOOKINGS = 240, 300, 3_000, 4_500
# Every 251st lesson is deleted, the last one too: a copy that numbers the rows anew shows at once.
PLANNED, CANCELLED_EVERY = 3_012, 251

TEACHERS = (
    "Jürgen Weiß", "Anneliese Böhm", "Käthe Grünwald", "Matthias Oberhuber", "Renée Lefèvre", "Ömer Yıldız",
    "Beate Schröder", "Urs Zürcher", "Gisela Müller-Lüdenscheidt", "Friedrich Jäger", "Sophie D'Angelo", "Łukasz Nowak",
)
FIRST_NAMES = (
    "Anna", "Björn", "Clara", "Dörte", "Emil", "Frieda", "Götz", "Hannah", "Ilse", "Jörg", "Käthe", "Lukas", "Märta",
    "Noah", "Özlem", "Paul", "Rosalie", "Sören", "Theresa", "Zoë",
)
LAST_NAMES = (
    "Bächle", "Dietrich", "Eßer", "Fröhlich", "Groß", "Hübner", "Jäger", "Köhler", "Löffler", "Meier", "Nägeli",
    "O'Brien", "Pfäffli", "Rößler", "Schäfer", "Strauß", "Türk", "von der Höhe", "Wagner", "Zöllner",
)
ROOMS = ("Großer Saal", "Flügelzimmer", "Übungsraum 1", "Übungsraum 2", "Schlagzeugkeller", "Dachgeschoß links")
RATES = (Decimal("42.00"), Decimal("48.50"), Decimal("54.00"), Decimal("61.80"))
NOTES = (
    "Tonleitern in Es-Dur, Metronom bei 72",
    'Hausaufgabe:\n\t"Für Elise", Takte 1-22\n\tlinke Hand allein, nicht \'schleppen\'',
    "Noten liegen unter C:\\Noten\\Bach; 100 % üben",
    "Vorspiel am Freitag – bitte Stück auswendig können",
)
ASCII = str.maketrans({
    "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "ë": "e", "ı": "i", "ł": "l", "'": "", " ": ".",
})


def email_of(name: str) -> str:
    """Return an address in a domain that can never receive mail."""
    return f"{name.lower().translate(ASCII)}@musikschule.example"


def make_teachers() -> list["Teacher"]:
    """Return the twelve teachers."""
    from lessons.models import Teacher

    return [Teacher(name=name, email=email_of(name)) for name in TEACHERS]


def make_students(rng: random.Random) -> list["Student"]:
    """Return the students; some have no address (empty string), some no birthday (NULL)."""
    from lessons.models import Student

    names = [f"{first} {last}" for first, last in rng.sample(list(product(FIRST_NAMES, LAST_NAMES)), STUDENTS)]
    return [
        Student(
            name=name,
            email="" if rng.random() < 0.2 else email_of(name),
            born=None if rng.random() < 0.15 else date(1958, 1, 1) + timedelta(days=rng.randrange(22_000)),
        )
        for name in names
    ]


def make_contracts(rng: random.Random, students: list["Student"], teachers: list["Teacher"]) -> list["Contract"]:
    """Return one contract for each student, and a second one for some."""
    from lessons.models import Contract

    return [
        Contract(
            student=student,
            teacher=rng.choice(teachers),
            signed=SCHOOL_YEAR - timedelta(days=rng.randrange(1, 400)),
            hourly_rate=rng.choice(RATES),
            active=rng.random() < 0.9,
        )
        for student in students + rng.sample(students, CONTRACTS - STUDENTS)
    ]


def make_lessons(rng: random.Random, contracts: list["Contract"]) -> list["Lesson"]:
    """Return the planned lessons: one or more for each contract, weekly at its own weekday and hour."""
    extra = Counter(rng.choices(range(CONTRACTS), k=PLANNED - CONTRACTS))
    return [
        lesson
        for number, contract in enumerate(contracts)
        for lesson in make_weekly_lessons(rng, contract, 1 + extra[number])
    ]


def make_weekly_lessons(rng: random.Random, contract: "Contract", count: int) -> list["Lesson"]:
    """Return the lessons of one contract."""
    from lessons.models import Lesson

    first = SCHOOL_YEAR + timedelta(weeks=rng.randrange(30), days=rng.randrange(5))
    start, minutes = time(rng.randrange(13, 20), rng.choice((0, 15, 30))), rng.choice((30, 45, 60))
    room = rng.choice(ROOMS)
    price = (contract.hourly_rate * minutes / 60).quantize(Decimal("0.01"))
    return [
        Lesson(
            contract=contract,
            date=first + timedelta(weeks=week),
            start_time=start,
            duration_minutes=minutes,
            room=room,
            notes=rng.choice(NOTES) if rng.random() < 0.3 else "",
            price=price,
        )
        for week in range(count)
    ]


def make_bookings(rng: random.Random, lessons: list["Lesson"], students: list["Student"]) -> list["Booking"]:
    """Return a booking of each lesson by its own student, and guests for half of the lessons."""
    own = [make_booking(rng, lesson, lesson.contract.student) for lesson in lessons]
    guests = [
        make_booking(rng, lesson, rng.choice([student for student in students if student != lesson.contract.student]))
        for lesson in rng.sample(lessons, BOOKINGS - LESSONS)
    ]
    return own + guests


def make_booking(rng: random.Random, lesson: "Lesson", student: "Student") -> "Booking":
    """Return one booking, made in the weeks before the lesson."""
    from lessons.models import Booking

    ahead = timedelta(minutes=rng.randrange(24 * 60, 21 * 24 * 60))
    return Booking(
        lesson=lesson,
        student=student,
        booked_at=datetime.combine(lesson.date, lesson.start_time, UTC) - ahead,
        attended=rng.random() < 0.93 if lesson.date <= RECORDED_UNTIL else None,
    )


def insert_everything() -> None:
    """Insert all rows in one transaction, so that a seed that fails leaves an empty database."""
    from django.db import transaction
    from lessons.models import Booking, Contract, Lesson, Student, Teacher

    rng = random.Random(1685)
    with transaction.atomic():
        teachers = Teacher.objects.bulk_create(make_teachers())
        students = Student.objects.bulk_create(make_students(rng))
        contracts = Contract.objects.bulk_create(make_contracts(rng, students, teachers))
        planned = Lesson.objects.bulk_create(make_lessons(rng, contracts))
        cancelled = planned[CANCELLED_EVERY - 1::CANCELLED_EVERY]
        Lesson.objects.filter(pk__in=[lesson.pk for lesson in cancelled]).delete()
        kept = [lesson for lesson in planned if lesson not in cancelled]
        Booking.objects.bulk_create(make_bookings(rng, kept, students))


def has_rows() -> bool:
    """Tell whether the school is in the database already, in whichever release."""
    from django.db import connection
    from lessons.models import Teacher

    return Teacher._meta.db_table in connection.introspection.table_names() and Teacher.objects.exists()


def set_up_django() -> None:
    """Load the OLD release's models into this process."""
    import django

    manage.put_release_first(OLD)
    os.environ["DJANGO_SETTINGS_MODULE"] = "school.settings"
    django.setup()


def main() -> None:
    """Migrate and insert, or do nothing when there are rows."""
    from django.core.exceptions import ImproperlyConfigured

    try:
        set_up_django()
    except ImproperlyConfigured as error:
        sys.exit(f"seed.py: {error}")
    if has_rows():
        print("seed.py: there are rows already, nothing to do")
        return
    migrated = subprocess.run([sys.executable, "../manage.py", "migrate", "--verbosity=0"], cwd=OLD, check=False)
    if migrated.returncode:
        sys.exit("seed.py: the OLD release's migrations failed, see above")
    insert_everything()
    print(f"seed.py: {len(TEACHERS)} teachers, {STUDENTS} students, {CONTRACTS} contracts, {LESSONS} lessons, "
          f"{BOOKINGS} bookings")


if __name__ == "__main__":
    main()
