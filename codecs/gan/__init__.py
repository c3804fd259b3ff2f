"""An unconditional GAN for small pictures: it makes them up, from noise alone."""
