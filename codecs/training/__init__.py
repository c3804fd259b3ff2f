"""What all trained models share: data, schedule, loop, checkpoints, model cards."""
