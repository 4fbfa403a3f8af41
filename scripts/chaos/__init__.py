"""`make chaos`: users work while parts of the cloud are killed, paused and cut off; afterwards everything is checked.

schedule.py plans the run from a seed; users.py sends requests to the API (acts.py lists them); monkey.py strikes
(strikes.py lists the strikes) while supervisor.py restarts dead processes, as systemd does; checks.py compares rows,
nodes, receipts and events afterwards.
"""
