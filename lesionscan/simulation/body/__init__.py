"""Model of a body: bones, soft tissue, gas and metal of one patient, in millimetres."""
