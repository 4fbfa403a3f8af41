from django.db import models


class Rollup(models.Model):
    """Progress of a coarser table: filled from the finer one before it up to this moment, exclusive.

    The tables themselves are no models: they are partitioned by time (tables.py), and only ever read in sums.
    """

    table = models.CharField(max_length=32, primary_key=True)
    done_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.table} until {self.done_until}"
