"""What tests of faults share: participants who notice half-open sockets soon."""

from tests.faults.people import hasty

__all__ = ["hasty"]
