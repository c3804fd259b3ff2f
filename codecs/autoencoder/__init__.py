"""The lab line of autoencoders: small plain networks, b-bit latents, an adaptive range coder."""
