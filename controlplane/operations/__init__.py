"""The row of every long change: enqueue, lease, checkpoint, redeliver. It knows no app; workflows/ runs the rows."""
