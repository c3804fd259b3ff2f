"""The learned codec: transforms, entropy model, exact parsing, and how it is trained."""
