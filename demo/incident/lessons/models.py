"""The music school after the INCIDENT: the same models, but the migration threw the lessons away."""

from django.db import models


class Teacher(models.Model):
    """Someone who teaches at the school."""

    name = models.CharField(max_length=100)
    email = models.EmailField(unique=True)


class Student(models.Model):
    """Someone who learns; young children have no address of their own and need not tell their birthday."""

    name = models.CharField(max_length=100)
    email = models.EmailField(blank=True)
    born = models.DateField(null=True, blank=True)


class Contract(models.Model):
    """A student's agreement with a teacher; every contract has lessons."""

    student = models.ForeignKey(Student, on_delete=models.CASCADE)
    teacher = models.ForeignKey(Teacher, on_delete=models.CASCADE)
    signed = models.DateField()
    hourly_rate = models.DecimalField(max_digits=8, decimal_places=2)
    active = models.BooleanField(default=True)


class Session(models.Model):
    """One session of a contract, meant to be the old Lesson under a new name."""

    contract = models.ForeignKey(Contract, on_delete=models.CASCADE)
    date = models.DateField()
    start_time = models.TimeField()
    duration_minutes = models.PositiveSmallIntegerField()
    room = models.CharField(max_length=50)
    notes = models.TextField(blank=True)
    price = models.DecimalField(max_digits=8, decimal_places=2)


class Booking(models.Model):
    """A student's place in a session; `attended` is unknown until someone has said so.

    `session` is nullable only so that the migration applies without a prompt: `makemigrations --noinput` cannot
    invent a default for the rows that exist. That is also why nothing failed when all the links were lost.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, null=True)
    student = models.ForeignKey(Student, on_delete=models.CASCADE)
    booked_at = models.DateTimeField()
    attended = models.BooleanField(null=True, blank=True)
