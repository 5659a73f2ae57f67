"""What goes wrong when an origin is fetched."""

from __future__ import annotations


class FetchError(Exception):
    """An origin gave nothing that can land; the message says what was expected, what was found and what to do now.

    Landing is as it was. No secret is in the message: URLs are told without their parameters.
    """


class PrivateAddressError(FetchError):
    """A host has an address of a private network, and its origin does not say that it may."""
