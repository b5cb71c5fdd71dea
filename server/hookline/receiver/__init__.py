"""The HTTP side: takes a delivery, has it proven and parsed, calls one function, answers."""

from hookline.receiver.application import make_application
from hookline.receiver.serve import Receiver, receiving

__all__ = ["Receiver", "make_application", "receiving"]
