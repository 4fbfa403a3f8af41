"""Operations: rows of long changes, with request, lease, step commit and requeue.

This app knows no other; workflows/ runs the operations.
"""
