"""What happens to one picture: the codec family, its bitstreams and its measures.

The names beside, in the stub, are the public ones; each is imported when it is first asked for.

Importing this package before torch tells OpenMP's threads to sleep while they wait. By default they
spin, which on busy cores makes everything several times slower; OMP_WAIT_POLICY overrules it.
"""

import os

import lazy_loader

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
