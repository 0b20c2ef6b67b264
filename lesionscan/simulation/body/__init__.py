"""What the beam passes: bones, soft tissue, gas and metal of one patient, in millimetres."""
