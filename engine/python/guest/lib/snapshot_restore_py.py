"""Hooks around the Snapshot of a function, as AWS names them for SnapStart."""

before_snapshot = []
after_restore = []


def register_before_snapshot(func, *args, **kwargs):
    """Runs func once, at deploy, before the memory is captured.

    The hooks run in the reverse order of their registration.
    """
    before_snapshot.append((func, args, kwargs))
    return func


def register_after_restore(func, *args, **kwargs):
    """Runs func in every instance, after its memory is restored, before the first event.

    The hooks run in the order of their registration.
    """
    after_restore.append((func, args, kwargs))
    return func


def run_before_snapshot():
    while before_snapshot:
        func, args, kwargs = before_snapshot.pop()
        func(*args, **kwargs)


def run_after_restore():
    for func, args, kwargs in after_restore:
        func(*args, **kwargs)


def get_before_snapshot():
    return before_snapshot


def get_after_restore():
    return after_restore
