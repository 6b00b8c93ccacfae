"""How connections tell the calendar above them what happened, synchronously and in the same transaction.

``sync_requested``   connection: sync it now (receivers enqueue on commit)
``options_changed``  connection: has other sync options; receivers delete what they exclude, and return how many
``addressed``        connection, former: it is new (``former`` is empty) or has another address than that
``disconnecting``    connection: about to be deleted; receivers delete what hangs on it and return counts by name
``disconnected``     connection: was deleted
"""

from django.dispatch import Signal

sync_requested = Signal()
options_changed = Signal()
addressed = Signal()
disconnecting = Signal()
disconnected = Signal()
