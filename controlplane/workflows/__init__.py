"""How long changes are carried out: engine.py runs the steps, one file per change lists them."""
