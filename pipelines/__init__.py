"""What runs over a collection: listing, planning, Beam jobs, the archive.

The names beside, in the stub, are the public ones; each is imported when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
