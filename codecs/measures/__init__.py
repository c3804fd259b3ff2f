"""How close, how alike, how natural: PSNR to FID."""
