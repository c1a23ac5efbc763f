"""Actors: the coroutines of a job. They meet over the channels that app.py opens."""
