"""From thickness maps to the film that is stored: physics, tone, collimation, markers."""
