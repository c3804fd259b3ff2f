"""Pages, figures and contact sheets."""
