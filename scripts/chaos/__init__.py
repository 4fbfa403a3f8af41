"""`make chaos`: users at work while parts of the cloud are killed, paused and cut off; afterwards all is checked.

schedule.py says what happens when, from a seed; users.py asks the API (acts.py: for what); monkey.py strikes
(strikes.py: at what, and how) while keeper.py starts again what has died, as systemd does; checks.py compares rows,
nodes, receipts and events afterwards.
"""
